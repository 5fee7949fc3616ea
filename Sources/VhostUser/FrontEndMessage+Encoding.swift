extension FrontEndMessage {
  /// The whole message, header and payload, as a front end sends it; its descriptors go along in the order that
  /// ``FrontEndMessage`` says.
  public func encoded(needsReply: Bool = false) -> [UInt8] {
    let payload = self.payload
    return MessageHeader(request, payloadSize: payload.count, needsReply: needsReply).bytes + payload
  }

  private var payload: [UInt8] {
    var writer = PayloadWriter()
    switch self {
    case .getFeatures, .setOwner, .resetOwner, .setLogFD, .getProtocolFeatures, .getQueueNum, .setBackendReqFD,
      .resetDevice, .getMaxMemSlots, .getStatus:
      break
    case .setFeatures(let features): writer.u64(features.rawValue)
    case .setProtocolFeatures(let features): writer.u64(features.rawValue)
    case .setMemTable(let regions):
      writer.u32(UInt32(clamping: regions.count))
      writer.u32(0)
      for region in regions { region.write(to: &writer) }
    case .setLogBase(let area):
      writer.u64(area.byteCount)
      writer.u64(area.fileOffset)
    case .setVringNum(let ring, let size): writer.state(ring, UInt32(clamping: size))
    case .setVringAddr(let ring, let addresses):
      writer.u32(ring)
      addresses.write(to: &writer)
    case .setVringBase(let ring, let base): writer.state(ring, UInt32(base))
    case .getVringBase(let ring): writer.state(ring, 0)
    case .setVringKick(let file), .setVringCall(let file), .setVringErr(let file): writer.u64(file.word)
    case .setVringEnable(let ring, let isEnabled): writer.state(ring, isEnabled ? 1 : 0)
    case .sendRARP(let address): writer.bytes(Array((address + [UInt8](repeating: 0, count: 8)).prefix(8)))
    case .netSetMTU(let mtu): writer.u64(UInt64(mtu))
    case .getConfig(let access), .setConfig(let access): access.write(to: &writer)
    case .addMemReg(let region), .remMemReg(let region):
      writer.u64(0)
      region.write(to: &writer)
    case .setStatus(let status): writer.u64(UInt64(status))
    }
    return writer.bytes
  }
}

extension PayloadWriter {
  /// A vring state description.
  internal mutating func state(_ ring: UInt32, _ number: UInt32) {
    u32(ring)
    u32(number)
  }
}
