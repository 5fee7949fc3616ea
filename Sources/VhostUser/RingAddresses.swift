/// SET_VRING_ADDR: where the front end has a split ring's three parts (`struct vhost_vring_addr`).
///
/// User addresses of the front end, never guest addresses: this back end does not offer ACCESS_PLATFORM.
public struct RingAddresses: Sendable, Hashable {
  /// The descriptor table; aligned to 16.
  public let descriptors: UInt64
  /// The used ring; aligned to 4.
  public let used: UInt64
  /// The available ring; aligned to 2.
  public let available: UInt64
  /// VHOST_VRING_F_LOG: the guest address at which writes to the used ring are logged; nil if they are not.
  public let usedLog: UInt64?

  /// Takes the four.
  public init(descriptors: UInt64, used: UInt64, available: UInt64, usedLog: UInt64? = nil) {
    self.descriptors = descriptors
    self.used = used
    self.available = available
    self.usedLog = usedLog
  }

  /// The flags word's one bit that means something.
  private static let logFlag: UInt32 = 1

  /// What follows the ring's index in the payload.
  internal init(from reader: inout PayloadReader) throws(ProtocolViolation) {
    let flags = reader.u32()
    let descriptors = reader.u64()
    let used = reader.u64()
    let available = reader.u64()
    let log = reader.u64()
    guard flags & ~Self.logFlag == 0 else { throw .addressFlags(flags) }
    self.init(
      descriptors: descriptors, used: used, available: available, usedLog: flags & Self.logFlag == 0 ? nil : log)
    let alignments: [(RingPart, UInt64, UInt64)] = [
      (.descriptors, descriptors, 16), (.used, used, 4), (.available, available, 2),
    ]
    for (part, address, alignment) in alignments where address % alignment != 0 {
      throw .addressUnaligned(part, address)
    }
  }

  internal func write(to writer: inout PayloadWriter) {
    writer.u32(usedLog == nil ? 0 : Self.logFlag)
    writer.u64(descriptors)
    writer.u64(used)
    writer.u64(available)
    writer.u64(usedLog ?? 0)
  }
}

/// A part of a split ring (virtio 1.2 §2.7).
public enum RingPart: String, Sendable, CaseIterable {
  /// 16 bytes an entry.
  case descriptors = "descriptor table"
  /// 2 bytes an entry and 6 about it.
  case available = "available ring"
  /// 8 bytes an entry and 6 about it.
  case used = "used ring"

  /// How long the part is in a ring of that size, with the event index at its end whether or not that was negotiated:
  /// virtio reserves the room, and the kernel does not hold its writes to the memory table.
  public func byteCount(ringSize: Int) -> UInt64 {
    let size = UInt64(clamping: ringSize)
    return switch self {
    case .descriptors: 16 * size
    case .available: 6 + 2 * size
    case .used: 6 + 8 * size
    }
  }
}
