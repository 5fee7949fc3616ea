import Testing
import VhostUser

/// Bytes written by hand from the vhost-user specification: header, then payload, all little-endian.
@Suite struct GoldenBytesTests {
  static let requests: [(FrontEndMessage, String)] = [
    (.getFeatures, "01000000 01000000 00000000"),
    (.setFeatures([.version1, .protocolFeatures]), "02000000 01000000 08000000 00000040 01000000"),
    (.setOwner, "03000000 01000000 00000000"),
    (.resetOwner, "04000000 01000000 00000000"),
    (
      .setMemTable([
        MemoryRegion(guestAddress: 0, byteCount: 0x1000_0000, userAddress: 0x7f12_3456_7000, fileOffset: 0x2000)
      ]),
      """
      05000000 01000000 28000000 01000000 00000000
      00000000 00000000 00000010 00000000 00705634 127f0000 00200000 00000000
      """
    ),
    (
      .setMemTable([
        MemoryRegion(guestAddress: 0, byteCount: 0x1000, userAddress: 0x10000, fileOffset: 0),
        MemoryRegion(guestAddress: 0x1_0000_0000, byteCount: 0x2000, userAddress: 0x20000, fileOffset: 0x1000),
      ]),
      """
      05000000 01000000 48000000 02000000 00000000
      00000000 00000000 00100000 00000000 00000100 00000000 00000000 00000000
      00000000 01000000 00200000 00000000 00000200 00000000 00100000 00000000
      """
    ),
    (
      .setLogBase(LogArea(byteCount: 0x8000, fileOffset: 0x3000)),
      "06000000 01000000 10000000 00800000 00000000 00300000 00000000"
    ),
    (.setLogFD, "07000000 01000000 00000000"),
    (.setVringNum(ring: 3, size: 256), "08000000 01000000 08000000 03000000 00010000"),
    (
      .setVringAddr(ring: 1, RingAddresses(descriptors: 0x10, used: 0x24, available: 0x32, usedLog: 0x44)),
      """
      09000000 01000000 28000000 01000000 01000000
      10000000 00000000 24000000 00000000 32000000 00000000 44000000 00000000
      """
    ),
    (
      .setVringAddr(ring: 0, RingAddresses(descriptors: 0x7f00_0000_0010, used: 4, available: 2)),
      """
      09000000 01000000 28000000 00000000 00000000
      10000000 007f0000 04000000 00000000 02000000 00000000 00000000 00000000
      """
    ),
    (.setVringBase(ring: 2, base: 0xabcd), "0a000000 01000000 08000000 02000000 cdab0000"),
    (.getVringBase(ring: 2), "0b000000 01000000 08000000 02000000 00000000"),
    (.setVringKick(VringFile(ring: 5, hasDescriptor: true)), "0c000000 01000000 08000000 05000000 00000000"),
    (.setVringKick(VringFile(ring: 5, hasDescriptor: false)), "0c000000 01000000 08000000 05010000 00000000"),
    (.setVringCall(VringFile(ring: 255, hasDescriptor: true)), "0d000000 01000000 08000000 ff000000 00000000"),
    (.setVringErr(VringFile(ring: 0, hasDescriptor: false)), "0e000000 01000000 08000000 00010000 00000000"),
    (.getProtocolFeatures, "0f000000 01000000 00000000"),
    (.setProtocolFeatures([.multiQueue, .replyAck, .status]), "10000000 01000000 08000000 09000100 00000000"),
    (.getQueueNum, "11000000 01000000 00000000"),
    (.setVringEnable(ring: 1, isEnabled: true), "12000000 01000000 08000000 01000000 01000000"),
    (.setVringEnable(ring: 1, isEnabled: false), "12000000 01000000 08000000 01000000 00000000"),
    (.sendRARP([0x52, 0x54, 0, 0x12, 0x34, 0x56]), "13000000 01000000 08000000 52540012 34560000"),
    (.netSetMTU(1500), "14000000 01000000 08000000 dc050000 00000000"),
    (.setBackendReqFD, "15000000 01000000 00000000"),
    (
      .getConfig(ConfigAccess(offset: 8, flags: 0, bytes: [0, 0])),
      "18000000 01000000 0e000000 08000000 02000000 00000000 0000"
    ),
    (
      .setConfig(ConfigAccess(offset: 0, flags: 1, bytes: [1, 2, 3])),
      "19000000 01000000 0f000000 00000000 03000000 01000000 010203"
    ),
    (.resetDevice, "22000000 01000000 00000000"),
    (.getMaxMemSlots, "24000000 01000000 00000000"),
    (
      .addMemReg(MemoryRegion(guestAddress: 0x1000, byteCount: 0x2000, userAddress: 0x3000, fileOffset: 0x4000)),
      """
      25000000 01000000 28000000 00000000 00000000
      00100000 00000000 00200000 00000000 00300000 00000000 00400000 00000000
      """
    ),
    (
      .remMemReg(MemoryRegion(guestAddress: 0x1000, byteCount: 0x2000, userAddress: 0x3000, fileOffset: 0)),
      """
      26000000 01000000 28000000 00000000 00000000
      00100000 00000000 00200000 00000000 00300000 00000000 00000000 00000000
      """
    ),
    (.setStatus(0x0f), "27000000 01000000 08000000 0f000000 00000000"),
    (.getStatus, "28000000 01000000 00000000"),
  ]

  @Test(arguments: requests) func aRequestBothWays(_ message: FrontEndMessage, _ text: String) throws {
    let bytes = hex(text)
    #expect(message.encoded() == bytes)
    let header = try MessageHeader(bytes: Array(bytes.prefix(12)))
    let decoded = try FrontEndMessage.decode(
      header: header, payload: Array(bytes.dropFirst(12)), descriptorCount: message.descriptorCount)
    #expect(decoded == message)
    #expect(!header.needsReply)
  }

  @Test func everyRequestThatIsOfferedHasGoldenBytes() {
    let covered = Set(Self.requests.map(\.0.request))
    let unsupported: Set<FrontEndRequest> = [
      .iotlbMsg, .setVringEndian, .createCryptoSession, .closeCryptoSession, .postcopyAdvise, .postcopyListen,
      .postcopyEnd, .getInflightFD, .setInflightFD, .gpuSetSocket, .vringKick, .getSharedObject, .setDeviceStateFD,
      .checkDeviceState, .getShmemConfig,
    ]
    #expect(covered.union(unsupported) == Set(FrontEndRequest.allCases))
  }

  @Test func needReplyIsBitThree() {
    #expect(FrontEndMessage.setOwner.encoded(needsReply: true) == hex("03000000 09000000 00000000"))
  }

  static let replies: [(BackEndReply, FrontEndRequest, String)] = [
    (.number(0x1_4000_0000), .getFeatures, "01000000 05000000 08000000 00000040 01000000"),
    (.number(9), .getProtocolFeatures, "0f000000 05000000 08000000 09000000 00000000"),
    (.number(16), .getQueueNum, "11000000 05000000 08000000 10000000 00000000"),
    (.number(0), .setMemTable, "05000000 05000000 08000000 00000000 00000000"),
    (.number(1), .setVringAddr, "09000000 05000000 08000000 01000000 00000000"),
    (.number(0), .setLogBase, "06000000 05000000 08000000 00000000 00000000"),
    (.empty, .setLogBase, "06000000 05000000 00000000"),
    (.vringState(ring: 3, number: 0xfffe), .getVringBase, "0b000000 05000000 08000000 03000000 feff0000"),
    (
      .config(ConfigAccess(offset: 8, flags: 0, bytes: [4, 0])), .getConfig,
      "18000000 05000000 0e000000 08000000 02000000 00000000 0400"
    ),
    (.empty, .getConfig, "18000000 05000000 00000000"),
    (.number(64), .getMaxMemSlots, "24000000 05000000 08000000 40000000 00000000"),
    (.number(15), .getStatus, "28000000 05000000 08000000 0f000000 00000000"),
  ]

  @Test(arguments: replies) func aReplyBothWays(_ reply: BackEndReply, _ request: FrontEndRequest, _ text: String)
    throws
  {
    let bytes = hex(text)
    #expect(reply.encoded(replyTo: request) == bytes)
    let header = try MessageHeader(bytes: Array(bytes.prefix(12)))
    #expect(header.isReply)
    #expect(try BackEndReply.decode(header: header, payload: Array(bytes.dropFirst(12)), replyTo: request) == reply)
  }

  @Test func aReplyToSomethingElse() throws {
    let header = try MessageHeader(bytes: hex("01000000 05000000 08000000"))
    let payload = [UInt8](repeating: 0, count: 8)
    #expect(throws: ProtocolViolation.unknownRequest(1)) {
      try BackEndReply.decode(header: header, payload: payload, replyTo: .getQueueNum)
    }
    #expect(throws: ProtocolViolation.payloadIncomplete(announced: 8, got: 0)) {
      try BackEndReply.decode(header: header, payload: [], replyTo: .getFeatures)
    }
  }

  @Test func aRequestOfTheBackEnd() {
    #expect(MessageHeader(.configChangeMsg, payloadSize: 0).bytes == hex("02000000 01000000 00000000"))
  }

  @Test func configurationAsVirtioHasIt() {
    let config = NetConfig(mac: [2, 0, 0, 0, 0, 1], queuePairs: 8, mtu: 1500, speed: 10_000)
    #expect(config.bytes == hex("020000000001 0100 0800 dc05 10270000 01"))
  }

  @Test func featureBits() {
    #expect(DeviceFeatures([.checksum, .multiQueue, .hostUSO]).rawValue == 1 | 1 << 22 | 1 << 56)
    #expect(
      DeviceFeatures(rawValue: 1 << 30 | 1 << 31 | 1 << 40).names == ["PROTOCOL_FEATURES", "bit 31", "RING_RESET"])
    #expect(ProtocolFeatures.implemented.rawValue == 0x1_a23f)
    #expect(ProtocolFeatures(rawValue: 1 << 20 | 1 << 21).names == ["SHMEM", "bit 21"])
  }
}

/// Bytes from hexadecimal digits; white space does not count.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter(\.isHexDigit).compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
