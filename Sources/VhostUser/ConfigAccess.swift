/// GET_CONFIG and SET_CONFIG: some bytes of the device's configuration space.
public struct ConfigAccess: Sendable, Hashable {
  /// Where they start.
  public let offset: UInt32
  /// As the front end sent them; the answer carries them back. Bit 0 in SET_CONFIG: a live migration writes.
  public let flags: UInt32
  /// The bytes; in GET_CONFIG's request as many that mean nothing.
  public let bytes: [UInt8]

  /// How much configuration space there is to talk about, whatever the device (VHOST_USER_MAX_CONFIG_SIZE).
  public static let maximum = 256

  /// The three words before the bytes.
  internal static let prefixByteCount = 12

  /// Takes the three.
  public init(offset: UInt32, flags: UInt32, bytes: [UInt8]) {
    self.offset = offset
    self.flags = flags
    self.bytes = bytes
  }

  /// Whether SET_CONFIG may write what the driver may only read.
  public var isMigration: Bool { flags & 1 != 0 }

  /// Reads the payload. The specification has flags 0 and 1 in both requests; rust-vmm's front ends ask with bits 0 and
  /// 1, so a question may have either.
  internal init(payload: [UInt8], of request: FrontEndRequest) throws(ProtocolViolation) {
    guard payload.count >= Self.prefixByteCount else {
      throw .payloadSize(request, expected: Self.prefixByteCount, got: payload.count)
    }
    var reader = PayloadReader(payload)
    let offset = reader.u32()
    let size = reader.u32()
    let flags = reader.u32()
    guard size > 0, size <= UInt32(Self.maximum), offset <= UInt32(Self.maximum) - size else {
      throw .configRange(offset: offset, size: size)
    }
    guard payload.count == Self.prefixByteCount + Int(size) else {
      throw .payloadSize(request, expected: Self.prefixByteCount + Int(size), got: payload.count)
    }
    guard flags <= (request == .getConfig ? 3 : 1) else { throw .configFlags(flags) }
    self.init(offset: offset, flags: flags, bytes: reader.bytes(Int(size)))
  }

  internal func write(to writer: inout PayloadWriter) {
    writer.u32(offset)
    writer.u32(UInt32(clamping: bytes.count))
    writer.u32(flags)
    writer.bytes(bytes)
  }
}
