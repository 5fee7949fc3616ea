/// Where the guest's memory is mapped in the owner's address space: VHOST_SET_MEM_TABLE's `struct vhost_memory`.
public struct MemoryTable: Sendable, Equatable {
  /// `struct vhost_memory_region`.
  public struct Region: Sendable, Equatable {
    /// Where the guest sees it.
    public let guestAddress: UInt64
    /// Its length in bytes.
    public let byteCount: UInt64
    /// Where the owner has it mapped.
    public let userAddress: UInt64

    /// Describes one region.
    public init(guestAddress: UInt64, byteCount: UInt64, userAddress: UInt64) {
      self.guestAddress = guestAddress
      self.byteCount = byteCount
      self.userAddress = userAddress
    }
  }

  /// The regions; the kernel takes up to vhost's `max_mem_regions` (64 unless told).
  public let regions: [Region]

  /// A table of these regions.
  public init(_ regions: [Region]) {
    self.regions = regions
  }

  /// The words of `struct vhost_memory`: a count and padding (0), then four 64-bit words a region, the last of them 0.
  internal var words: [UInt64] {
    // Little-endian: nregions is the low half of the first word.
    [UInt64(UInt32(regions.count))]
      + regions.flatMap { [$0.guestAddress, $0.byteCount, $0.userAddress, 0] }
  }
}
