extension ProtocolViolation: CustomStringConvertible {
  /// One line: what, and why it is refused.
  public var description: String {
    frameDescription ?? contentDescription ?? sessionDescription
  }

  private var frameDescription: String? {
    switch self {
    case .headerSize(let count): "a header of \(count) bytes, not 12: the peer stopped in the middle of a message"
    case .version(let version): "message version \(version); there is only version 1"
    case .reservedFlags(let flags): "reserved flags are set (\(hex(UInt64(flags))))"
    case .payloadTooLarge(let size): "a payload of \(size) bytes; no message has over \(MessageHeader.maximumPayload)"
    case .payloadIncomplete(let announced, let got): "a payload of \(got) bytes where \(announced) were announced"
    case .replyFlag(let request): "request \(request) has the reply flag, which only answers have"
    case .unknownRequest(let request): "request \(request) is not in the specification"
    case .unsupportedRequest(let request): "\(request.name) is not offered by this back end"
    case .payloadSize(let request, let expected, let got):
      "\(request.name) has a payload of \(expected) bytes, not \(got)"
    case .descriptorCount(let request, let expected, let got):
      "\(request.name) comes with \(descriptors(expected)), not \(got)"
    default: nil
    }
  }

  private var contentDescription: String? {
    switch self {
    case .ringWordBits(let request, let word): "\(request.name): reserved bits are set (\(hex(word)))"
    case .descriptorFlag(let request, let has, let got):
      "\(request.name) says that it comes \(has ? "with" : "without") a descriptor, and has \(descriptors(got))"
    case .regionCount(let count): "SET_MEM_TABLE has 1 to 8 regions, not \(count)"
    case .padding(let request): "\(request.name): the padding is not 0"
    case .regionEmpty(let region): "memory region \(region) has no bytes"
    case .regionUnaligned(let region, let field, let value):
      "memory region \(region): \(field.rawValue) \(hex(value)) is no multiple of \(MemoryRegion.pageSize)"
    case .regionWraps(let region, let field):
      "memory region \(region) runs past the end, counted from its \(field.rawValue)"
    case .regionOverlap(let one, let other, let field):
      "memory regions \(one) and \(other) overlap by \(field.rawValue)"
    case .ringSize(let size): "a ring of \(size) entries; it must be a power of two from 1 to 32768"
    case .ringBase(let base): "ring base \(base) is over 65535"
    case .enableValue(let value): "SET_VRING_ENABLE takes 0 or 1, not \(value)"
    case .addressFlags(let flags): "SET_VRING_ADDR: unknown flags are set (\(hex(UInt64(flags))))"
    case .addressUnaligned(let part, let address): "the \(part.rawValue)'s address \(hex(address)) is not aligned"
    case .logWithoutMemory: "SET_LOG_BASE without the log's memory; it takes a size, an offset and a descriptor"
    case .logEmpty: "the dirty log has no bytes"
    case .logUnaligned(let offset): "the dirty log's offset \(hex(offset)) is no multiple of \(MemoryRegion.pageSize)"
    case .logWraps: "the dirty log runs past the end of any file"
    case .configRange(let offset, let size):
      "configuration bytes \(offset) and \(size) on; there are 1 to \(ConfigAccess.maximum)"
    case .configFlags(let flags): "configuration flags \(hex(UInt64(flags))) are unknown"
    case .mtu(let mtu): "an MTU of \(mtu); Ethernet has 68 to 65535"
    case .rarpAddress(let bytes):
      "\(bytes.map { hex(UInt64($0)) }.joined(separator: " ")) is no station's address to announce"
    case .statusValue(let value): "a device status of \(hex(value)); it has eight bits"
    default: nil
    }
  }

  private var sessionDescription: String {
    switch self {
    case .notOwned(let request): "\(request.name) before SET_OWNER"
    case .protocolFeaturesUnseen(let request): "\(request.name) before GET_FEATURES has offered PROTOCOL_FEATURES"
    case .protocolFeatureMissing(let request, let feature):
      "\(request.name) without protocol feature \(feature.names.joined(separator: ", "))"
    case .enableNotNegotiated: "SET_VRING_ENABLE without PROTOCOL_FEATURES; the rings are enabled already"
    case .deviceFeatureMissing(let request, let feature):
      "\(request.name): \(feature.names.joined(separator: ", ")) is not offered"
    case .featuresNotOffered(let features): "features that were not offered: \(features.names.joined(separator: ", "))"
    case .protocolFeaturesNotOffered(let features):
      "protocol features that were not offered: \(features.names.joined(separator: ", "))"
    case .featuresWhileRunning(let ring): "features may not change while ring \(ring) runs; only LOG_ALL may"
    case .ringIndex(let index, let count): "ring \(index); this device has rings 0 to \(count - 1)"
    case .ringTooLarge(let ring, let size, let maximum): "ring \(ring) of \(size) entries; \(maximum) is the most"
    case .ringRunning(let request, let ring): "\(request.name) while ring \(ring) runs"
    case .ringSizeUnknown(let ring): "SET_VRING_ADDR of ring \(ring) before SET_VRING_NUM"
    case .memoryTableMissing(let request): "\(request.name) before there is a memory table"
    case .addressOutside(let ring, let part, let address):
      "ring \(ring): the \(part.rawValue) at \(hex(address)) is not wholly in one memory region"
    case .regionInUse(let ring, let part): "ring \(ring) runs, and its \(part.rawValue) is in a region that would go"
    case .slotsExceeded(let count, let maximum): "\(count) memory regions; there are \(maximum) slots"
    case .regionUnknown(let address): "REM_MEM_REG of a region that is not there (guest address \(hex(address)))"
    case .logTooSmall(let needed, let got): "a dirty log of \(got) bytes; guest memory takes \(needed)"
    case .usedLogOutside(let ring, let address):
      "ring \(ring): used ring's log address \(hex(address)) is past the log's end"
    case .configReadOnly(let offset): "SET_CONFIG at \(offset), which the driver may only read"
    case .mtuTooLarge(let mtu, let maximum): "an MTU of \(mtu); the tap takes \(maximum)"
    default: "refused"
    }
  }

  private func descriptors(_ count: Int) -> String {
    count == 0 ? "no descriptor" : count == 1 ? "1 descriptor" : "\(count) descriptors"
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
