/// SET_VRING_KICK, _CALL and _ERR: a ring, and whether an eventfd came along.
public struct VringFile: Sendable, Hashable {
  /// The ring's index in the device: bits 0 to 7.
  public let ring: UInt8
  /// Bit 8 (VHOST_USER_VRING_NOFD_MASK) turned round: whether the message brings a descriptor.
  public let hasDescriptor: Bool

  private static let noDescriptor: UInt64 = 1 << 8

  /// Takes both.
  public init(ring: UInt8, hasDescriptor: Bool) {
    self.ring = ring
    self.hasDescriptor = hasDescriptor
  }

  internal init(word: UInt64, of request: FrontEndRequest, descriptorCount: Int) throws(ProtocolViolation) {
    guard word >> 9 == 0 else { throw .ringWordBits(request, word) }
    ring = UInt8(truncatingIfNeeded: word)
    hasDescriptor = word & Self.noDescriptor == 0
    guard descriptorCount == (hasDescriptor ? 1 : 0) else {
      throw .descriptorFlag(request, hasDescriptor: hasDescriptor, got: descriptorCount)
    }
  }

  internal var word: UInt64 { UInt64(ring) | (hasDescriptor ? 0 : Self.noDescriptor) }
}
