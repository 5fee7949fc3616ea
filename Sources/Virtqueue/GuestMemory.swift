/// A stretch of the guest's memory that is mapped in this process.
@safe public struct GuestRegion: BitwiseCopyable {
  /// Where the guest sees it.
  public let guestAddress: UInt64
  /// Its length in bytes.
  public let byteCount: UInt64
  /// Where it is here.
  @unsafe public let base: UnsafeMutableRawPointer

  /// Describes one region.
  ///
  /// - Safety: it is mapped there as long as a ring has it.
  @unsafe public init(guestAddress: UInt64, byteCount: UInt64, base: UnsafeMutableRawPointer) {
    self.guestAddress = guestAddress
    self.byteCount = byteCount
    unsafe self.base = base
  }
}

/// The guest's memory as one ring sees it: its own copy of the table, and the region it was in last.
///
/// The ring deallocates it. (With a `deinit` of its own the optimizer of Swift 6.3.1 ends by an assertion, in the ring's setter.)
@safe @usableFromInline
internal struct GuestMemory: BitwiseCopyable {
  // Sorted by guest address.
  @unsafe @usableFromInline internal let regions: UnsafeMutablePointer<GuestRegion>
  @usableFromInline internal let count: Int
  // The last hit: where it starts, how long it is, where it is here. Nothing is in the first one, which is empty.
  @usableFromInline internal var start: UInt64 = 0
  @usableFromInline internal var byteCount: UInt64 = 0
  @unsafe @usableFromInline internal var base: UnsafeMutableRawPointer

  /// Regions that do not overlap, in any order.
  internal init(_ table: [GuestRegion]) {
    count = table.count
    unsafe regions = .allocate(capacity: max(1, count))
    for (index, region) in table.sorted(by: { $0.guestAddress < $1.guestAddress }).enumerated() {
      unsafe (regions + index).initialize(to: region)
    }
    unsafe base = UnsafeMutableRawPointer(regions)
  }

  internal func deallocate() {
    unsafe regions.deallocate()
  }

  /// Where a guest address is here, and how many bytes follow without a gap; nil if it is nowhere.
  @inlinable @inline(__always)
  internal mutating func locate(_ address: UInt64) -> Place? {
    var offset = address &- start
    if offset >= byteCount {
      let index = unsafe Self.search(address, regions, count)
      guard index >= 0 else { return nil }
      let region = unsafe regions[index]
      start = region.guestAddress
      byteCount = region.byteCount
      unsafe base = region.base
      offset = address &- start
    }
    return unsafe Place(base: base + Int(truncatingIfNeeded: offset), run: byteCount &- offset)
  }

  /// What `locate` finds.
  @safe @usableFromInline
  internal struct Place: BitwiseCopyable {
    @unsafe @usableFromInline internal let base: UnsafeMutableRawPointer
    @usableFromInline internal let run: UInt64

    @inlinable
    internal init(base: UnsafeMutableRawPointer, run: UInt64) {
      unsafe self.base = base
      self.run = run
    }
  }

  /// The region of an address, -1 for none. Not a method: a call with this value's address would keep it in memory on the way of
  /// every descriptor.
  @usableFromInline @inline(never)
  internal static func search(_ address: UInt64, _ regions: UnsafeMutablePointer<GuestRegion>, _ count: Int) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low &+ high) / 2
      if unsafe regions[middle].guestAddress <= address { low = middle &+ 1 } else { high = middle }
    }
    guard low > 0 else { return -1 }
    let region = unsafe regions[low &- 1]
    return address &- region.guestAddress < region.byteCount ? low &- 1 : -1
  }

  /// What the guest calls so many bytes here, as far as they are in one region; nil if they are in none.
  internal func guestRange(of place: UnsafeMutableRawPointer, count wanted: Int) -> (address: UInt64, count: Int)? {
    for index in 0..<count {
      let region = unsafe regions[index]
      let offset = unsafe UInt64(UInt(bitPattern: place)) &- UInt64(UInt(bitPattern: region.base))
      guard offset < region.byteCount else { continue }
      return (region.guestAddress &+ offset, Int(min(UInt64(wanted), region.byteCount &- offset)))
    }
    return nil
  }
}
