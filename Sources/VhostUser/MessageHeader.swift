/// The twelve bytes before every payload: request, flags, payload size (vhost-user specification, "Header").
///
/// The protocol is in the machine's own byte order, which is little-endian wherever this package runs.
public struct MessageHeader: Sendable, Hashable {
  /// A header's length.
  public static let byteCount = 12
  /// The longest payload that is read at all; the longest of a net front end (eight regions; 256 bytes of
  /// configuration) has 268. More is a peer that means no good, and its bytes are not waited for.
  public static let maximumPayload = 4096

  /// The request's number; in a reply that of the request it answers.
  public let request: UInt32
  /// Bits 0 and 1 the version, bit 2 reply, bit 3 need_reply; the others are reserved.
  public let flags: UInt32
  /// The payload's length.
  public let payloadSize: UInt32

  /// Bits 0 and 1.
  internal static let versionMask: UInt32 = 0b11
  /// The one version there is.
  internal static let version: UInt32 = 1
  private static let replyBit: UInt32 = 1 << 2
  private static let needReplyBit: UInt32 = 1 << 3

  /// Takes the three words as they are.
  public init(request: UInt32, flags: UInt32, payloadSize: UInt32) {
    self.request = request
    self.flags = flags
    self.payloadSize = payloadSize
  }

  /// The header of a request.
  public init(_ request: FrontEndRequest, payloadSize: Int, needsReply: Bool = false) {
    let flags = Self.version | (needsReply ? Self.needReplyBit : 0)
    self.init(request: request.rawValue, flags: flags, payloadSize: UInt32(clamping: payloadSize))
  }

  /// The header of a request that goes the other way, on the back end's own channel.
  public init(_ request: BackEndRequest, payloadSize: Int, needsReply: Bool = false) {
    let flags = Self.version | (needsReply ? Self.needReplyBit : 0)
    self.init(request: request.rawValue, flags: flags, payloadSize: UInt32(clamping: payloadSize))
  }

  /// The header of an answer to the request of that number.
  public init(replyTo request: UInt32, payloadSize: Int) {
    self.init(
      request: request, flags: Self.version | Self.replyBit, payloadSize: UInt32(clamping: payloadSize))
  }

  /// Reads twelve bytes, and refuses what leaves no way to find the next message: another version, reserved flags, a
  /// payload over ``maximumPayload``. Whether the request is known is said by ``FrontEndMessage``.
  public init(bytes: [UInt8]) throws(ProtocolViolation) {
    guard bytes.count == Self.byteCount else { throw .headerSize(bytes.count) }
    var reader = PayloadReader(bytes)
    self.init(request: reader.u32(), flags: reader.u32(), payloadSize: reader.u32())
    try validate()
  }

  /// What ``init(bytes:)`` refuses, for a header made otherwise.
  internal func validate() throws(ProtocolViolation) {
    guard flags & Self.versionMask == Self.version else { throw .version(flags & Self.versionMask) }
    guard flags >> 4 == 0 else { throw .reservedFlags(flags) }
    guard payloadSize <= UInt32(Self.maximumPayload) else { throw .payloadTooLarge(payloadSize) }
  }

  /// Whether this is an answer.
  public var isReply: Bool { flags & Self.replyBit != 0 }

  /// Whether the sender waits for an answer (REPLY_ACK).
  public var needsReply: Bool { flags & Self.needReplyBit != 0 }

  /// The twelve bytes.
  public var bytes: [UInt8] {
    var writer = PayloadWriter()
    writer.u32(request)
    writer.u32(flags)
    writer.u32(payloadSize)
    return writer.bytes
  }
}
