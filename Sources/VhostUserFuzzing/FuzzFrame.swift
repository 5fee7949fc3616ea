public import VhostUser

/// A message as the fuzz input has it: one byte with the number of descriptors that came along, then header and
/// payload.
public struct FuzzFrame: Sendable, Hashable {
  /// How many descriptors.
  public var descriptorCount: UInt8
  /// Header and payload.
  public var bytes: [UInt8]

  /// A message as a front end sends it.
  public init(_ message: FrontEndMessage, needsReply: Bool = false) {
    descriptorCount = UInt8(clamping: message.descriptorCount)
    bytes = message.encoded(needsReply: needsReply)
  }

  /// The frame's bytes in the input.
  public var input: [UInt8] { [descriptorCount] + bytes }
}
