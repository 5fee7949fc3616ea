import Testing
import VhostUser
import VhostUserFuzzing

/// The rules about what may be said when, one by one.
@Suite struct SessionOrderTests {
  private let greeting = Conversations.greeting
  private let regions = Conversations.regions
  private let features = Conversations.features
  private let running =
    Conversations.greeting + Conversations.start(0) + [.setVringEnable(ring: 0, isEnabled: true)]

  @Test(arguments: Conversations.all.map(\.messages)) func wholeConversations(_ messages: [FrontEndMessage]) throws {
    _ = try session(after: messages)
  }

  static let owned: [FrontEndMessage] = [
    .setFeatures([]), .setMemTable(Conversations.regions), .setVringNum(ring: 0, size: 1),
    .setVringAddr(ring: 0, Conversations.addresses(0)), .setVringBase(ring: 0, base: 0), .getVringBase(ring: 0),
    .setVringKick(VringFile(ring: 0, hasDescriptor: true)), .setVringCall(VringFile(ring: 0, hasDescriptor: true)),
    .setVringErr(VringFile(ring: 0, hasDescriptor: true)), .setVringEnable(ring: 0, isEnabled: true), .sendRARP([2]),
    .netSetMTU(1500), .resetDevice, .setStatus(1), .addMemReg(Conversations.regions[0]),
    .remMemReg(Conversations.regions[0]), .setLogBase(LogArea(byteCount: 4096, fileOffset: 0)), .setLogFD,
    .setConfig(ConfigAccess(offset: 0, flags: 0, bytes: [1])),
  ]

  @Test(arguments: owned) func beforeTheOwner(_ message: FrontEndMessage) throws {
    try expectRefusal(.notOwned(message.request), of: message, after: Array(greeting.prefix(5)))
  }

  @Test(arguments: [FrontEndMessage.getProtocolFeatures, .setProtocolFeatures([]), .getQueueNum])
  func protocolFeaturesBeforeBit30WasSeen(_ message: FrontEndMessage) throws {
    try expectRefusal(.protocolFeaturesUnseen(message.request), of: message, after: [])
    try expectRefusal(.protocolFeaturesUnseen(message.request), of: message, after: [.getFeatures], offer: offer([]))
  }

  static let gated: [(FrontEndMessage, ProtocolFeatures)] = [
    (.setLogBase(LogArea(byteCount: 4096, fileOffset: 0)), .logSharedMemory), (.setLogFD, .logSharedMemory),
    (.sendRARP([2, 0, 0, 0, 0, 1]), .rarp), (.netSetMTU(1500), .mtu), (.setBackendReqFD, .backEndRequests),
    (.getConfig(ConfigAccess(offset: 0, flags: 0, bytes: [0])), .config),
    (.setConfig(ConfigAccess(offset: 0, flags: 1, bytes: [0])), .config), (.resetDevice, .resetDevice),
    (.getMaxMemSlots, .configureMemorySlots), (.addMemReg(Conversations.regions[0]), .configureMemorySlots),
    (.remMemReg(Conversations.regions[0]), .configureMemorySlots), (.setStatus(1), .status), (.getStatus, .status),
  ]

  @Test(arguments: gated) func withoutItsProtocolFeature(_ message: FrontEndMessage, _ feature: ProtocolFeatures) throws
  {
    let others = ProtocolFeatures.implemented.subtracting(feature)
    try expectRefusal(
      .protocolFeatureMissing(message.request, feature), of: message,
      after: [.getFeatures, .setProtocolFeatures(others), .setOwner])
  }

  @Test func queueNumberNeedsOnlyTheOffer() throws {
    _ = try session(after: [.getFeatures, .getQueueNum])
    try expectRefusal(
      .protocolFeatureMissing(.getQueueNum, .multiQueue), of: .getQueueNum, after: [.getFeatures],
      offer: offer(.replyAck))
  }

  @Test func featuresBeyondTheOffer() throws {
    try expectRefusal(
      .featuresNotOffered(.packedRing), of: .setFeatures(features.union(.packedRing)), after: [.setOwner])
    try expectRefusal(
      .protocolFeaturesNotOffered(.inflightSharedMemory), of: .setProtocolFeatures([.inflightSharedMemory, .replyAck]),
      after: [.getFeatures])
  }

  @Test func featuresUnderARunningRing() throws {
    try expectRefusal(
      .featuresWhileRunning(ring: 0), of: .setFeatures(features.subtracting(.mergeableReceiveBuffers)), after: running)
    _ = try session(after: running + [.setFeatures(features.union(.logAll)), .setFeatures(features)])
  }

  static let ofRing8: [FrontEndMessage] = [
    .setVringNum(ring: 8, size: 1), .setVringAddr(ring: 8, Conversations.addresses(0)),
    .setVringBase(ring: 8, base: 0), .getVringBase(ring: 8), .setVringEnable(ring: 8, isEnabled: false),
    .setVringKick(VringFile(ring: 8, hasDescriptor: false)), .setVringCall(VringFile(ring: 8, hasDescriptor: true)),
    .setVringErr(VringFile(ring: 8, hasDescriptor: true)),
  ]

  @Test(arguments: ofRing8) func aRingThatIsNotThere(_ message: FrontEndMessage) throws {
    try expectRefusal(.ringIndex(8, ringCount: 8), of: message, after: greeting)
  }

  @Test func aRingIndexOfThirtyTwoBits() throws {
    try expectRefusal(.ringIndex(.max, ringCount: 8), of: .getVringBase(ring: .max), after: greeting)
  }

  @Test func sizes() throws {
    try expectRefusal(
      .ringTooLarge(ring: 1, size: 2048, maximum: 1024), of: .setVringNum(ring: 1, size: 2048), after: greeting)
    try expectRefusal(.ringRunning(.setVringNum, ring: 0), of: .setVringNum(ring: 0, size: 256), after: running)
    try expectRefusal(.ringRunning(.setVringBase, ring: 0), of: .setVringBase(ring: 0, base: 1), after: running)
    let resized = try session(after: greeting + Conversations.start(1) + [.setVringNum(ring: 1, size: 512)])
    #expect(resized.rings[1].addresses == nil)
    #expect(resized.places(ofRing: 1) == nil)
  }

  @Test func addressesNeedATableAndASize() throws {
    try expectRefusal(
      .memoryTableMissing(.setVringAddr), of: .setVringAddr(ring: 0, Conversations.addresses(0)),
      after: greeting.dropLast() + [.setVringNum(ring: 0, size: 256)])
    try expectRefusal(
      .ringSizeUnknown(ring: 0), of: .setVringAddr(ring: 0, Conversations.addresses(0)), after: greeting)
  }

  /// The last byte of each part counts: 16, 6 + 2 and 6 + 8 bytes an entry, here 256 of them.
  @Test func addressesWithTheirWholeLength() throws {
    let end: UInt64 = 0x7f01_0000_0000
    let good = Conversations.addresses(0)
    let before = greeting + [.setVringNum(ring: 0, size: 256)]
    let cases: [(RingPart, UInt64, UInt64)] = [
      (.descriptors, end - 4096, 16), (.available, end - 518, 2), (.used, end - 2056, 4),
    ]
    for (part, last, step) in cases {
      func addresses(_ address: UInt64) -> RingAddresses {
        RingAddresses(
          descriptors: part == .descriptors ? address : good.descriptors,
          used: part == .used ? address : good.used, available: part == .available ? address : good.available)
      }
      _ = try session(after: before + [.setVringAddr(ring: 0, addresses(last))])
      try expectRefusal(
        .addressOutside(ring: 0, part, last + step), of: .setVringAddr(ring: 0, addresses(last + step)), after: before)
      try expectRefusal(
        .addressOutside(ring: 0, part, ~15), of: .setVringAddr(ring: 0, addresses(~15)), after: before)
    }
  }

  @Test func aPartAcrossTwoRegions() throws {
    let good = Conversations.addresses(0)
    let address = regions[1].userAddress - 16
    try expectRefusal(
      .addressOutside(ring: 0, .descriptors, address),
      of: .setVringAddr(ring: 0, RingAddresses(descriptors: address, used: good.used, available: good.available)),
      after: greeting + [.setVringNum(ring: 0, size: 256)])
  }

  @Test func theSwitch() throws {
    try expectRefusal(.enableNotNegotiated, of: .setVringEnable(ring: 0, isEnabled: true), after: [.setOwner])
    try expectRefusal(
      .enableNotNegotiated, of: .setVringEnable(ring: 0, isEnabled: true),
      after: [.getFeatures, .setOwner, .setFeatures(features.subtracting(.protocolFeatures))])
    _ = try session(after: [.getFeatures, .setOwner, .setVringEnable(ring: 7, isEnabled: true)])
  }

  @Test func memoryThatARunningRingIsIn() throws {
    let other = MemoryRegion(
      guestAddress: 0, byteCount: 0x1000_0000, userAddress: 0x7e00_0000_0000, fileOffset: 0)
    try expectRefusal(.regionInUse(ring: 0, .descriptors), of: .setMemTable([other]), after: running)
    try expectRefusal(.regionInUse(ring: 0, .descriptors), of: .remMemReg(regions[0]), after: running)
    let stopped = try session(after: running + [.getVringBase(ring: 0), .setMemTable([other])])
    #expect(stopped.rings[0].addresses == nil)
  }

  @Test func slots() throws {
    let third = MemoryRegion(
      guestAddress: 0x2_0000_0000, byteCount: 4096, userAddress: 0x6000_0000_0000, fileOffset: 0)
    let small = offer([.configureMemorySlots])
    let before: [FrontEndMessage] = [
      .getFeatures, .setProtocolFeatures(.configureMemorySlots), .setOwner, .addMemReg(regions[0]),
      .addMemReg(regions[1]),
    ]
    try expectRefusal(.slotsExceeded(count: 3, maximum: 2), of: .addMemReg(third), after: before, offer: small)
    try expectRefusal(
      .slotsExceeded(count: 3, maximum: 2), of: .setMemTable(regions + [third]), after: before, offer: small)
    try expectRefusal(
      .regionOverlap(1, 2, .guestAddress),
      of: .addMemReg(
        MemoryRegion(
          guestAddress: regions[1].guestAddress, byteCount: 4096, userAddress: third.userAddress, fileOffset: 0)),
      after: before, offer: small)
    try expectRefusal(
      .regionUnknown(guestAddress: third.guestAddress), of: .remMemReg(third), after: before, offer: small)
    try expectRefusal(
      .memoryTableMissing(.remMemReg), of: .remMemReg(third), after: Array(before.prefix(3)), offer: small)
    let named = MemoryRegion(
      guestAddress: regions[0].guestAddress, byteCount: regions[0].byteCount, userAddress: regions[0].userAddress,
      fileOffset: 12345)
    var session = try session(after: before, offer: small)
    #expect(try session.receive(.remMemReg(named)) == .removeRegion(regions[0], index: 0))
    #expect(session.memory.regions == [regions[1]])
  }

  /// QEMU 7.2 adds and removes each region once for every queue pair.
  @Test func theSameRegionTwice() throws {
    var session = try session(
      after: [.getFeatures, .setProtocolFeatures(.configureMemorySlots), .setOwner, .addMemReg(regions[0])],
      offer: offer([.configureMemorySlots]))
    #expect(try session.receive(.addMemReg(regions[0])) == .none)
    #expect(session.memory.regions == [regions[0]])
    #expect(try session.receive(.remMemReg(regions[0])) == .none)
    #expect(session.memory.regions == [regions[0]])
    #expect(try session.receive(.remMemReg(regions[0])) == .removeRegion(regions[0], index: 0))
    #expect(session.memory.regions.isEmpty)
  }

  /// 5 GiB of guest addresses are 0x14_0000 pages, a bit each.
  @Test func theLogCoversMemory() throws {
    try expectRefusal(
      .logTooSmall(needed: 0x2_8000, got: 0x2_7fff), of: .setLogBase(LogArea(byteCount: 0x2_7fff, fileOffset: 0)),
      after: greeting)
    let logged = greeting + [.setLogBase(LogArea(byteCount: 0x2_8000, fileOffset: 0))]
    let more = MemoryRegion(guestAddress: 0x1_4000_0000, byteCount: 4096, userAddress: 4096, fileOffset: 0)
    try expectRefusal(.logTooSmall(needed: 0x2_8001, got: 0x2_8000), of: .addMemReg(more), after: logged)
    // A log that is no longer in force holds nothing back.
    _ = try session(
      after: logged + [.setFeatures(features.union(.logAll)), .setFeatures(features), .addMemReg(more)])
  }

  @Test func theLogCoversUsedRings() throws {
    let good = Conversations.addresses(0)
    func addresses(_ log: UInt64) -> RingAddresses {
      RingAddresses(descriptors: good.descriptors, used: good.used, available: good.available, usedLog: log)
    }
    let log = FrontEndMessage.setLogBase(LogArea(byteCount: 0x2_8000, fileOffset: 0))
    let sized = greeting + [.setVringNum(ring: 0, size: 256)]
    let last: UInt64 = 0x1_4000_0000 - 2054
    _ = try session(after: sized + [log, .setVringAddr(ring: 0, addresses(last))])
    let pastTheEnd: [UInt64] = [last + 1, .max, .max - 2053]
    for address in pastTheEnd {
      try expectRefusal(
        .usedLogOutside(ring: 0, address: address), of: .setVringAddr(ring: 0, addresses(address)), after: sized + [log]
      )
      try expectRefusal(
        .usedLogOutside(ring: 0, address: address), of: log, after: sized + [.setVringAddr(ring: 0, addresses(address))]
      )
    }
  }

  @Test func configurationThatTheDriverMayOnlyRead() throws {
    let address = FrontEndMessage.setConfig(ConfigAccess(offset: 0, flags: 0, bytes: [2, 0, 0, 0, 0, 9]))
    try expectRefusal(.configReadOnly(offset: 0), of: address, after: greeting)
    let legacy = greeting.filter { $0.request != .setFeatures } + [.setFeatures([.mac, .protocolFeatures])]
    let written = try session(after: legacy + [address])
    #expect(Array(written.config.bytes.prefix(6)) == [2, 0, 0, 0, 0, 9])
    try expectRefusal(
      .configReadOnly(offset: 5), of: .setConfig(ConfigAccess(offset: 5, flags: 0, bytes: [0, 0])), after: legacy)
    _ = try session(after: greeting + [.setConfig(ConfigAccess(offset: 200, flags: 1, bytes: [1, 2]))])
  }

  @Test func mtu() throws {
    try expectRefusal(.mtuTooLarge(9001, maximum: 9000), of: .netSetMTU(9001), after: greeting)
    let without = Offer(
      deviceFeatures: [.version1], protocolFeatures: .mtu, queuePairs: 1, config: Conversations.offer.config)
    try expectRefusal(
      .deviceFeatureMissing(.netSetMTU, .mtu), of: .netSetMTU(1500),
      after: [.getFeatures, .setProtocolFeatures(.mtu), .setOwner], offer: without)
  }
}
