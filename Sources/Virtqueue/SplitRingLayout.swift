/// Where the three parts of a split virtqueue stand, one after the other from an offset on (virtio 1.2 §2.7).
public struct SplitRingLayout: Sendable, Equatable {
  /// The number of entries: a power of two, 1 to 32768.
  public let size: Int
  /// The descriptor table: 16 bytes an entry, aligned to 16.
  public let descriptors: Int
  /// The available ring: flags, idx, an entry of 2 bytes each, used_event; aligned to 2.
  public let available: Int
  /// The used ring: flags, idx, an entry of 8 bytes each, avail_event; aligned to 4.
  public let used: Int
  /// The first byte behind.
  public let end: Int

  /// Lays a ring of `size` entries out from `offset` on; nil if the size is no power of two from 1 to 32768.
  public init?(size: Int, at offset: Int = 0) {
    guard (1...32768).contains(size), size & (size - 1) == 0 else { return nil }
    self.size = size
    descriptors = (offset + 15) & ~15
    available = descriptors + 16 * size
    used = (available + 6 + 2 * size + 3) & ~3
    end = used + 6 + 8 * size
  }
}
