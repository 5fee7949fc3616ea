public import VhostUser

/// What front ends say to a device of four pairs, from the greeting to the end: the material of the corpus and of the
/// generator's mutations.
public enum Conversations {
  /// The device they talk to.
  public static let offer = Offer(
    deviceFeatures: [
      .checksum, .guestChecksum, .mtu, .mac, .guestTSO4, .hostTSO4, .mergeableReceiveBuffers, .status, .controlQueue,
      .multiQueue, .logAll, .indirectDescriptors, .eventIndex, .protocolFeatures, .version1,
    ], protocolFeatures: .implemented, queuePairs: 4, maximumMemorySlots: 16, maximumRingSize: 1024, mtu: 9000,
    config: NetConfig(mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56], queuePairs: 4, mtu: 1500))

  /// What a guest takes of it, without the log.
  public static let features = offer.deviceFeatures.subtracting([.logAll, .mtu])

  /// Two regions as a PC with 4 GiB has them: below the hole, and above 4 GiB.
  public static let regions = [
    MemoryRegion(guestAddress: 0, byteCount: 0xc000_0000, userAddress: 0x7f00_0000_0000, fileOffset: 0),
    MemoryRegion(
      guestAddress: 0x1_0000_0000, byteCount: 0x4000_0000, userAddress: 0x7f00_c000_0000, fileOffset: 0xc000_0000),
  ]

  /// Where ring `index` is, 64 KiB for each.
  public static func addresses(_ index: UInt32, isLogged: Bool = false) -> RingAddresses {
    let guest = 0x1000_0000 + 0x1_0000 * UInt64(index)
    let start = 0x7f00_0000_0000 + guest
    return RingAddresses(
      descriptors: start, used: start + 0x6000, available: start + 0x4000, usedLog: isLogged ? guest + 0x6000 : nil)
  }

  /// A ring that ends where the second region does: with twice the size it would be outside.
  public static func addressesAtTheEnd(size: Int) -> RingAddresses {
    let end = regions[1].userAddress + regions[1].byteCount
    let used = (end - RingPart.used.byteCount(ringSize: size)) & ~3
    return RingAddresses(descriptors: end - 0x1_0000, used: used, available: end - 0x8000)
  }

  /// Everything that makes ring `index` run.
  public static func start(_ index: UInt32, size: Int = 256, base: UInt16 = 0) -> [FrontEndMessage] {
    let file = VringFile(ring: UInt8(clamping: index), hasDescriptor: true)
    return [
      .setVringNum(ring: index, size: size), .setVringBase(ring: index, base: base),
      .setVringAddr(ring: index, addresses(index)), .setVringKick(file), .setVringCall(file),
    ]
  }

  /// The greeting, up to a memory table.
  public static let greeting: [FrontEndMessage] = [
    .getFeatures, .getProtocolFeatures, .setProtocolFeatures(.implemented), .getQueueNum, .getMaxMemSlots, .setOwner,
    .getFeatures, .setVringEnable(ring: 0, isEnabled: true), .setFeatures(features), .setMemTable(regions),
  ]

  /// Two pairs started, used, stopped and started again.
  public static let twoPairs: [FrontEndMessage] =
    greeting + (0..<4).flatMap { start($0) } + (0..<4).map { .setVringEnable(ring: $0, isEnabled: true) }
    + (0..<4).map { .getVringBase(ring: $0) } + [.setStatus(0), .setFeatures(features)]
    + (0..<4).flatMap { start($0, size: 512, base: 77) } + (0..<2).map { .setVringEnable(ring: $0, isEnabled: true) }

  /// A migration: the log comes, rings are logged, then stopped; and the other side's arrival.
  public static let migration: [FrontEndMessage] =
    greeting + start(0) + start(1) + [
      .setVringEnable(ring: 0, isEnabled: true), .setVringEnable(ring: 1, isEnabled: true),
    ]
    + [
      .setLogBase(LogArea(byteCount: 0x2_8000, fileOffset: 0)), .remMemReg(regions[1]), .addMemReg(regions[1]),
      .setLogFD, .setFeatures(features.union(.logAll)),
      .setVringAddr(ring: 0, addresses(0, isLogged: true)), .setVringAddr(ring: 1, addresses(1, isLogged: true)),
      .getVringBase(ring: 0), .getVringBase(ring: 1), .setFeatures(features),
      .sendRARP([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
    ]

  /// Memory by slots, a ring of another size, configuration, MTU, resets.
  public static let slots: [FrontEndMessage] =
    Array(greeting.dropLast()) + regions.map { .addMemReg($0) } + start(6) + [
      .remMemReg(regions[1]), .addMemReg(regions[1]), .setVringNum(ring: 5, size: 256),
      .setVringAddr(ring: 5, addressesAtTheEnd(size: 256)), .setVringNum(ring: 5, size: 512),
      .setVringAddr(ring: 5, addressesAtTheEnd(size: 512)), .netSetMTU(1500), .setBackendReqFD,
      .getConfig(ConfigAccess(offset: 0, flags: 0, bytes: Array(repeating: 0, count: 12))),
      .setConfig(ConfigAccess(offset: 0, flags: 1, bytes: [0x52, 0x54, 0, 1, 2, 3])), .setStatus(15), .getStatus,
      .setVringErr(VringFile(ring: 6, hasDescriptor: true)), .setVringKick(VringFile(ring: 6, hasDescriptor: false)),
      .resetDevice, .resetOwner, .setOwner,
    ]

  /// A front end that knows nothing of protocol features: rings are enabled from the start.
  public static let plain: [FrontEndMessage] =
    [
      .setOwner, .getFeatures, .setFeatures(features.subtracting(.protocolFeatures)), .setMemTable(regions),
    ] + start(0) + start(1) + [.getVringBase(ring: 0), .getVringBase(ring: 1)]

  /// All of them, by name.
  public static let all: [(name: String, messages: [FrontEndMessage])] = [
    ("two-pairs", twoPairs), ("migration", migration), ("slots", slots), ("plain", plain),
  ]
}
