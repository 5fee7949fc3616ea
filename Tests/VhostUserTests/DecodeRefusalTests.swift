import Testing
import VhostUser

/// One message that breaks one rule, for every rule that a message by itself can break.
@Suite struct DecodeRefusalTests {
  @Test func headers() {
    #expect(throws: ProtocolViolation.headerSize(11)) { try MessageHeader(bytes: hex("01000000 01000000 000000")) }
    #expect(throws: ProtocolViolation.version(0)) { try MessageHeader(bytes: hex("01000000 00000000 00000000")) }
    #expect(throws: ProtocolViolation.version(2)) { try MessageHeader(bytes: hex("01000000 02000000 00000000")) }
    #expect(throws: ProtocolViolation.reservedFlags(0x11)) {
      try MessageHeader(bytes: hex("01000000 11000000 00000000"))
    }
    #expect(throws: ProtocolViolation.payloadTooLarge(4097)) {
      try MessageHeader(bytes: hex("01000000 01000000 01100000"))
    }
    #expect(throws: ProtocolViolation.payloadTooLarge(.max)) {
      try MessageHeader(bytes: hex("01000000 01000000 ffffffff"))
    }
  }

  struct Refused: Sendable {
    let header: MessageHeader
    let payload: [UInt8]
    let descriptors: Int
    let violation: ProtocolViolation

    init(_ request: UInt32, _ payload: String, fds: Int = 0, _ violation: ProtocolViolation) {
      self.payload = hex(payload)
      header = MessageHeader(request: request, flags: 1, payloadSize: UInt32(self.payload.count))
      descriptors = fds
      self.violation = violation
    }

    init(header: MessageHeader, payload: String = "", _ violation: ProtocolViolation) {
      self.payload = hex(payload)
      self.header = header
      descriptors = 0
      self.violation = violation
    }
  }

  static func region(_ guest: String, _ size: String, _ user: String, _ offset: String) -> String {
    guest + size + user + offset
  }

  static let zero = "00000000 00000000"
  static let page = "00100000 00000000"
  static let twoPages = "00200000 00000000"
  static let one = "01000000 00000000"
  static let top = "00f0ffff ffffffff"  // 2^64 - 4096

  static let frames: [Refused] = [
    Refused(header: MessageHeader(request: 1, flags: 0, payloadSize: 0), .version(0)),
    Refused(header: MessageHeader(request: 1, flags: 5, payloadSize: 0), .replyFlag(1)),
    Refused(
      header: MessageHeader(request: 1, flags: 1, payloadSize: 4), payload: "0000",
      .payloadIncomplete(announced: 4, got: 2)),
    Refused(
      header: MessageHeader(request: 1, flags: 1, payloadSize: 0), payload: "00",
      .payloadIncomplete(announced: 0, got: 1)),
    Refused(0, "", .unknownRequest(0)),
    Refused(45, "", .unknownRequest(45)),
    Refused(.max, "", .unknownRequest(.max)),
    Refused(22, zero, .unsupportedRequest(.iotlbMsg)),
    Refused(31, "", .unsupportedRequest(.getInflightFD)),
    Refused(35, zero, .unsupportedRequest(.vringKick)),
    Refused(1, "00", .payloadSize(.getFeatures, expected: 0, got: 1)),
    Refused(1, "", fds: 1, .descriptorCount(.getFeatures, expected: 0, got: 1)),
    Refused(2, "00000000", .payloadSize(.setFeatures, expected: 8, got: 4)),
    Refused(2, zero, fds: 2, .descriptorCount(.setFeatures, expected: 0, got: 2)),
    Refused(7, "", .descriptorCount(.setLogFD, expected: 1, got: 0)),
    Refused(7, "", fds: 2, .descriptorCount(.setLogFD, expected: 1, got: 2)),
    Refused(8, zero + zero, .payloadSize(.setVringNum, expected: 8, got: 16)),
    Refused(9, zero, .payloadSize(.setVringAddr, expected: 40, got: 8)),
    Refused(11, zero, fds: 1, .descriptorCount(.getVringBase, expected: 0, got: 1)),
    Refused(21, "", .descriptorCount(.setBackendReqFD, expected: 1, got: 0)),
  ]

  static let rings: [Refused] = [
    Refused(8, "00000000 00000000", .ringSize(0)),
    Refused(8, "00000000 03000000", .ringSize(3)),
    Refused(8, "00000000 00000100", .ringSize(65536)),
    Refused(10, "00000000 00000100", .ringBase(65536)),
    Refused(18, "00000000 02000000", .enableValue(2)),
    Refused(9, "00000000 02000000" + zero + zero + zero + zero, .addressFlags(2)),
    Refused(9, zero + "08000000 00000000" + zero + zero + zero, .addressUnaligned(.descriptors, 8)),
    Refused(9, zero + zero + "02000000 00000000" + zero + zero, .addressUnaligned(.used, 2)),
    Refused(9, zero + zero + zero + one + zero, .addressUnaligned(.available, 1)),
    Refused(12, "00020000 00000000", fds: 1, .ringWordBits(.setVringKick, 0x200)),
    Refused(13, "00000000 00000080", fds: 1, .ringWordBits(.setVringCall, 1 << 63)),
    Refused(12, "01000000 00000000", .descriptorFlag(.setVringKick, hasDescriptor: true, got: 0)),
    Refused(14, "01010000 00000000", fds: 1, .descriptorFlag(.setVringErr, hasDescriptor: false, got: 1)),
    Refused(13, "01000000 00000000", fds: 2, .descriptorFlag(.setVringCall, hasDescriptor: true, got: 2)),
  ]

  static let memory: [Refused] = [
    Refused(5, "", .payloadSize(.setMemTable, expected: 8, got: 0)),
    Refused(5, zero, .regionCount(0)),
    Refused(5, "09000000 00000000", .regionCount(9)),
    Refused(5, "ffffffff 00000000", .regionCount(.max)),
    Refused(5, one, fds: 1, .payloadSize(.setMemTable, expected: 40, got: 8)),
    Refused(5, one + region(zero, page, zero, zero), .descriptorCount(.setMemTable, expected: 1, got: 0)),
    Refused(5, one + region(zero, page, zero, zero), fds: 2, .descriptorCount(.setMemTable, expected: 1, got: 2)),
    Refused(5, "01000000 01000000" + region(zero, page, zero, zero), fds: 1, .padding(.setMemTable)),
    Refused(5, one + region(zero, zero, zero, zero), fds: 1, .regionEmpty(region: 0)),
    Refused(5, one + region(one, page, zero, zero), fds: 1, .regionUnaligned(region: 0, .guestAddress, 1)),
    Refused(5, one + region(zero, one, zero, zero), fds: 1, .regionUnaligned(region: 0, .size, 1)),
    Refused(5, one + region(zero, page, one, zero), fds: 1, .regionUnaligned(region: 0, .userAddress, 1)),
    Refused(5, one + region(zero, page, zero, one), fds: 1, .regionUnaligned(region: 0, .fileOffset, 1)),
    Refused(5, one + region(top, page, zero, zero), fds: 1, .regionWraps(region: 0, .guestAddress)),
    Refused(5, one + region(zero, page, top, zero), fds: 1, .regionWraps(region: 0, .userAddress)),
    Refused(5, one + region(zero, page, zero, top), fds: 1, .regionWraps(region: 0, .fileOffset)),
    Refused(
      5, one + region(zero, page, zero, "00f0ffff ffffff7f"), fds: 1, .regionWraps(region: 0, .fileOffset)),
    Refused(
      5, "02000000 00000000" + region(zero, twoPages, zero, zero) + region(page, page, "00001000 00000000", zero),
      fds: 2,
      .regionOverlap(0, 1, .guestAddress)),
    Refused(
      5, "02000000 00000000" + region(zero, page, page, zero) + region(page, twoPages, zero, zero), fds: 2,
      .regionOverlap(0, 1, .userAddress)),
    Refused(37, one + region(zero, page, zero, zero), fds: 1, .padding(.addMemReg)),
    Refused(37, zero + region(zero, zero, zero, zero), fds: 1, .regionEmpty(region: 0)),
    Refused(37, zero + region(zero, page, zero, zero), .descriptorCount(.addMemReg, expected: 1, got: 0)),
    Refused(38, zero + region(zero, page, zero, zero), fds: 2, .descriptorCount(.remMemReg, expected: 1, got: 2)),
    Refused(6, zero, .logWithoutMemory),
    Refused(6, page + zero, .descriptorCount(.setLogBase, expected: 1, got: 0)),
    Refused(6, zero + zero, fds: 1, .logEmpty),
    Refused(6, page + one, fds: 1, .logUnaligned(1)),
    Refused(6, page + top, fds: 1, .logWraps),
    Refused(6, page + "00f0ffff ffffff7f", fds: 1, .logWraps),
  ]

  static let others: [Refused] = [
    Refused(19, "01000000 00000000", .rarpAddress([1, 0, 0, 0, 0, 0])),
    Refused(19, zero, .rarpAddress([0, 0, 0, 0, 0, 0])),
    Refused(20, "43000000 00000000", .mtu(67)),
    Refused(20, "00000100 00000000", .mtu(65536)),
    Refused(39, "00010000 00000000", .statusValue(256)),
    Refused(24, "0000", .payloadSize(.getConfig, expected: 12, got: 2)),
    Refused(24, zero + "00000000", .configRange(offset: 0, size: 0)),
    Refused(24, "00000000 01010000 00000000", .configRange(offset: 0, size: 257)),
    Refused(24, "ff000000 02000000 00000000 0000", .configRange(offset: 255, size: 2)),
    Refused(24, "ffffffff 02000000 00000000 0000", .configRange(offset: .max, size: 2)),
    Refused(24, "00000000 02000000 00000000 00", .payloadSize(.getConfig, expected: 14, got: 13)),
    Refused(24, "00000000 01000000 04000000 00", .configFlags(4)),
    Refused(25, "00000000 01000000 02000000 00", .configFlags(2)),
  ]

  @Test(arguments: frames + rings + memory + others) func refused(_ message: Refused) {
    #expect(throws: message.violation) {
      try FrontEndMessage.decode(
        header: message.header, payload: message.payload, descriptorCount: message.descriptors)
    }
    #expect(!message.violation.description.isEmpty)
    #expect(!message.violation.description.contains("\n"))
  }

  @Test func aNegativeNumberOfDescriptorsIsNoTrap() {
    let header = MessageHeader(.remMemReg, payloadSize: 40)
    #expect(throws: ProtocolViolation.descriptorCount(.remMemReg, expected: 0, got: -1)) {
      try FrontEndMessage.decode(header: header, payload: Array(repeating: 0, count: 40), descriptorCount: -1)
    }
  }

  @Test func theStrayDescriptorOfAnOldFrontEndIsLetThrough() throws {
    let region = MemoryRegion(guestAddress: 0, byteCount: 4096, userAddress: 4096, fileOffset: 1)
    let bytes = FrontEndMessage.remMemReg(region).encoded()
    let header = try MessageHeader(bytes: Array(bytes.prefix(12)))
    let message = try FrontEndMessage.decode(header: header, payload: Array(bytes.dropFirst(12)), descriptorCount: 1)
    #expect(message == .remMemReg(region))
  }
}
