extension FrontEndMessage {
  /// Reads a request; total: whatever the bytes, it returns or throws.
  ///
  /// - Parameters:
  ///   - header: the twelve bytes before.
  ///   - payload: what came after them; as long as the header says, or the message is refused.
  ///   - descriptorCount: how many descriptors came with the message.
  public static func decode(
    header: MessageHeader, payload: [UInt8], descriptorCount: Int
  ) throws(ProtocolViolation) -> FrontEndMessage {
    try header.validate()
    guard !header.isReply else { throw .replyFlag(header.request) }
    guard payload.count == Int(header.payloadSize) else {
      throw .payloadIncomplete(announced: Int(header.payloadSize), got: payload.count)
    }
    guard let request = FrontEndRequest(rawValue: header.request) else { throw .unknownRequest(header.request) }
    return try Frame(request: request, payload: payload, descriptorCount: descriptorCount).message()
  }
}

/// A request whose header is in order.
private struct Frame {
  let request: FrontEndRequest
  let payload: [UInt8]
  let descriptorCount: Int

  func message() throws(ProtocolViolation) -> FrontEndMessage {
    switch request {
    case .getFeatures: return try empty(.getFeatures)
    case .setFeatures: return .setFeatures(DeviceFeatures(rawValue: try word()))
    case .setOwner: return try empty(.setOwner)
    case .resetOwner: return try empty(.resetOwner)
    case .setMemTable: return try memoryTable()
    case .setLogBase: return try logBase()
    case .setLogFD: return try empty(.setLogFD, descriptors: 1)
    case .setVringNum, .setVringBase, .getVringBase, .setVringEnable: return try vringState()
    case .setVringAddr: return try vringAddresses()
    case .setVringKick: return .setVringKick(try vringFile())
    case .setVringCall: return .setVringCall(try vringFile())
    case .setVringErr: return .setVringErr(try vringFile())
    case .getProtocolFeatures: return try empty(.getProtocolFeatures)
    case .setProtocolFeatures: return .setProtocolFeatures(ProtocolFeatures(rawValue: try word()))
    case .getQueueNum: return try empty(.getQueueNum)
    case .sendRARP: return try rarp()
    case .netSetMTU:
      let value = try word()
      guard let mtu = UInt16(exactly: value), mtu >= 68 else { throw .mtu(value) }
      return .netSetMTU(mtu)
    case .setBackendReqFD: return try empty(.setBackendReqFD, descriptors: 1)
    case .getConfig:
      try expect(descriptors: 0)
      return .getConfig(try ConfigAccess(payload: payload, of: request))
    case .setConfig:
      try expect(descriptors: 0)
      return .setConfig(try ConfigAccess(payload: payload, of: request))
    case .resetDevice: return try empty(.resetDevice)
    case .getMaxMemSlots: return try empty(.getMaxMemSlots)
    case .addMemReg:
      let region = try singleRegion(descriptors: 1)
      try region.validate(at: 0)
      return .addMemReg(region)
    case .remMemReg: return .remMemReg(try singleRegion(descriptors: min(max(descriptorCount, 0), 1)))
    case .setStatus:
      let value = try word()
      guard let status = UInt8(exactly: value) else { throw .statusValue(value) }
      return .setStatus(status)
    case .getStatus: return try empty(.getStatus)
    case .iotlbMsg, .setVringEndian, .createCryptoSession, .closeCryptoSession, .postcopyAdvise, .postcopyListen,
      .postcopyEnd, .getInflightFD, .setInflightFD, .gpuSetSocket, .vringKick, .getSharedObject, .setDeviceStateFD,
      .checkDeviceState, .getShmemConfig:
      throw .unsupportedRequest(request)
    }
  }

  private func expect(size: Int) throws(ProtocolViolation) {
    guard payload.count == size else { throw .payloadSize(request, expected: size, got: payload.count) }
  }

  private func expect(descriptors: Int) throws(ProtocolViolation) {
    guard descriptorCount == descriptors else {
      throw .descriptorCount(request, expected: descriptors, got: descriptorCount)
    }
  }

  private func empty(_ message: FrontEndMessage, descriptors: Int = 0) throws(ProtocolViolation) -> FrontEndMessage {
    try expect(size: 0)
    try expect(descriptors: descriptors)
    return message
  }

  private func word() throws(ProtocolViolation) -> UInt64 {
    try expect(size: 8)
    try expect(descriptors: 0)
    var reader = PayloadReader(payload)
    return reader.u64()
  }

  private func vringState() throws(ProtocolViolation) -> FrontEndMessage {
    try expect(size: 8)
    try expect(descriptors: 0)
    var reader = PayloadReader(payload)
    let ring = reader.u32()
    let number = reader.u32()
    switch request {
    case .setVringNum:
      guard (1...32768).contains(number), number.nonzeroBitCount == 1 else { throw .ringSize(number) }
      return .setVringNum(ring: ring, size: Int(number))
    case .setVringBase:
      guard let base = UInt16(exactly: number) else { throw .ringBase(number) }
      return .setVringBase(ring: ring, base: base)
    case .setVringEnable:
      guard number <= 1 else { throw .enableValue(number) }
      return .setVringEnable(ring: ring, isEnabled: number == 1)
    default:
      return .getVringBase(ring: ring)
    }
  }

  private func vringAddresses() throws(ProtocolViolation) -> FrontEndMessage {
    try expect(size: 40)
    try expect(descriptors: 0)
    var reader = PayloadReader(payload)
    let ring = reader.u32()
    return .setVringAddr(ring: ring, try RingAddresses(from: &reader))
  }

  private func vringFile() throws(ProtocolViolation) -> VringFile {
    try expect(size: 8)
    var reader = PayloadReader(payload)
    return try VringFile(word: reader.u64(), of: request, descriptorCount: descriptorCount)
  }

  private func memoryTable() throws(ProtocolViolation) -> FrontEndMessage {
    guard payload.count >= 8 else { throw .payloadSize(request, expected: 8, got: payload.count) }
    var reader = PayloadReader(payload)
    let count = reader.u32()
    let padding = reader.u32()
    guard count >= 1, count <= UInt32(FrontEndMessage.maximumTableRegions) else { throw .regionCount(count) }
    try expect(size: 8 + 32 * Int(count))
    try expect(descriptors: Int(count))
    guard padding == 0 else { throw .padding(request) }
    var regions: [MemoryRegion] = []
    for position in 0..<Int(count) {
      let region = MemoryRegion(from: &reader)
      try region.validate(at: position)
      try GuestMemory.checkOverlap(of: region, at: position, with: regions)
      regions.append(region)
    }
    return .setMemTable(regions)
  }

  private func singleRegion(descriptors: Int) throws(ProtocolViolation) -> MemoryRegion {
    try expect(size: 40)
    try expect(descriptors: descriptors)
    var reader = PayloadReader(payload)
    guard reader.u64() == 0 else { throw .padding(request) }
    return MemoryRegion(from: &reader)
  }

  private func logBase() throws(ProtocolViolation) -> FrontEndMessage {
    guard payload.count != 8 else { throw .logWithoutMemory }
    try expect(size: 16)
    try expect(descriptors: 1)
    var reader = PayloadReader(payload)
    let area = LogArea(byteCount: reader.u64(), fileOffset: reader.u64())
    try area.validate()
    return .setLogBase(area)
  }

  private func rarp() throws(ProtocolViolation) -> FrontEndMessage {
    try expect(size: 8)
    try expect(descriptors: 0)
    let address = Array(payload.prefix(6))
    guard address[0] & 1 == 0, address.contains(where: { $0 != 0 }) else { throw .rarpAddress(address) }
    return .sendRARP(address)
  }
}
