/// The start of `struct virtio_net_config` (virtio 1.2 §5.1.4): what GET_CONFIG answers from.
public struct NetConfig: Sendable, Hashable {
  /// The bytes that are known; GET_CONFIG reads those behind as 0.
  public private(set) var bytes: [UInt8]

  /// Where `mac` is.
  internal static let mac = 0..<6

  /// Writes the fields out.
  ///
  /// - Parameters:
  ///   - mac: the guest's six bytes of address; others are cut or filled with 0.
  ///   - isLinkUp: bit 0 of `status`.
  ///   - queuePairs: `max_virtqueue_pairs`.
  ///   - mtu: `mtu`.
  ///   - speed: in Mbit/s; unknown unless given.
  public init(mac: [UInt8], isLinkUp: Bool = true, queuePairs: Int, mtu: UInt16, speed: UInt32 = .max) {
    var writer = PayloadWriter()
    writer.bytes(Array((mac + [UInt8](repeating: 0, count: 6)).prefix(6)))
    writer.u16(isLinkUp ? 1 : 0)
    writer.u16(UInt16(clamping: queuePairs))
    writer.u16(mtu)
    writer.u32(speed)
    writer.bytes([speed == .max ? 0xff : 1])  // duplex: unknown, or full
    bytes = writer.bytes
  }

  /// So many bytes from `offset` on.
  internal func read(_ offset: UInt32, count: Int) -> [UInt8] {
    let known = bytes.dropFirst(Int(offset)).prefix(count)
    return Array(known) + [UInt8](repeating: 0, count: count - known.count)
  }

  /// Writes over what is there; what lies behind the known bytes is dropped.
  internal mutating func write(_ new: [UInt8], at offset: UInt32) {
    for (position, byte) in new.enumerated() where bytes.indices.contains(Int(offset) + position) {
      bytes[Int(offset) + position] = byte
    }
  }
}
