/// The memory table: regions in the order in which they came, none of which overlap.
public struct GuestMemory: Sendable, Hashable {
  /// The regions.
  public private(set) var regions: [MemoryRegion] = []
  /// How often more than once each region was added.
  private var repeats: [Int] = []

  /// None yet.
  internal init() {}

  /// Regions that a message has been found to have, in order.
  internal init(_ regions: [MemoryRegion]) {
    self.regions = regions
    repeats = Array(repeating: 0, count: regions.count)
  }

  /// Where so many bytes at a user address are; nil if no one region has them all.
  public func place(ofUserAddress address: UInt64, byteCount: UInt64) -> MemoryPlace? {
    for (index, region) in regions.enumerated() {
      if let offset = region.offset(ofUserAddress: address, byteCount: byteCount) {
        return MemoryPlace(region: index, offset: offset)
      }
    }
    return nil
  }

  internal mutating func add(_ region: MemoryRegion) throws(ProtocolViolation) {
    try Self.checkOverlap(of: region, at: regions.count, with: regions)
    regions.append(region)
    repeats.append(0)
  }

  /// Counts the very region that is there already; false if it is not. QEMU 7.2 adds and removes each region once for
  /// every queue pair, though the table is the device's.
  internal mutating func addAgain(_ region: MemoryRegion) -> Bool {
    guard let index = regions.firstIndex(of: region) else { return false }
    repeats[index] += 1
    return true
  }

  /// Takes back what ``addAgain(_:)`` counted; false if there is nothing of it.
  internal mutating func removeAgain(_ name: MemoryRegion) -> Bool {
    guard let index = regions.firstIndex(where: { $0.isNamed(by: name) }), repeats[index] > 0 else { return false }
    repeats[index] -= 1
    return true
  }

  /// Takes the region out that `name` names, and says where it was.
  internal mutating func remove(_ name: MemoryRegion) throws(ProtocolViolation) -> Int {
    guard let index = regions.firstIndex(where: { $0.isNamed(by: name) }) else {
      throw .regionUnknown(guestAddress: name.guestAddress)
    }
    regions.remove(at: index)
    repeats.remove(at: index)
    return index
  }

  /// How long a dirty log must be for all of it; 0 for none.
  public var logByteCount: UInt64 {
    regions.map { LogArea.byteCount(coveringTo: $0.guestAddress + ($0.byteCount - 1)) }.max() ?? 0
  }

  internal static func checkOverlap(
    of region: MemoryRegion, at position: Int, with others: [MemoryRegion]
  ) throws(ProtocolViolation) {
    for (other, known) in others.enumerated() {
      if let field = region.overlap(with: known) { throw .regionOverlap(other, position, field) }
    }
  }
}

/// A place in guest memory: which region of the table, and how far into it.
public struct MemoryPlace: Sendable, Hashable {
  /// The region's index in ``GuestMemory/regions`` after the message that brought the place.
  public let region: Int
  /// Bytes from its start.
  public let offset: UInt64

  /// Takes both.
  public init(region: Int, offset: UInt64) {
    self.region = region
    self.offset = offset
  }
}
