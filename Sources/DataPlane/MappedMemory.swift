internal import BasicContainers
internal import LinuxIO
internal import SystemPackage
internal import VhostKernel
internal import VhostUser

/// The memory that a front end shares, mapped here, in the order of the session's table.
///
/// This process never looks into it. The kernel's vhost does, through the mappings; a page that the front end takes away
/// behind our back is an EFAULT to a worker, not a SIGBUS to us.
internal struct MappedMemory: ~Copyable {
  // Not private: Swift 6.3.1 then emits a module that its own verifier refuses.
  internal struct Region: ~Copyable {
    let description: MemoryRegion
    let file: FileIdentity
    let mapping: SharedMapping
  }

  private var regions = UniqueArray<Region>()

  internal init() {}

  /// Maps one more, behind the others.
  internal mutating func add(
    _ description: MemoryRegion, file: FileDescriptor, kernel: some KernelInterface
  ) throws(PlaneError) {
    regions.append(try Self.map(description, file: file, kernel: kernel))
  }

  /// Takes out one region, still mapped.
  internal mutating func remove(at index: Int) -> MappedMemory {
    var removed = MappedMemory()
    removed.regions.append(regions.remove(at: index))
    return removed
  }

  /// Becomes the memory that a whole new table describes. A region that is the same piece of the same file keeps its
  /// mapping. Returns what is no longer in the table, still mapped: vhost, which uses it, is told first.
  internal mutating func replace(
    by table: [MemoryRegion], files: borrowing UniqueArray<OwnedDescriptor>, kernel: some KernelInterface
  ) throws(PlaneError) -> MappedMemory {
    var fresh = UniqueArray<Region?>()
    for (index, description) in table.enumerated() {
      fresh.append(
        try isKnown(description, file: files[index].descriptor)
          ? nil : Self.map(description, file: files[index].descriptor, kernel: kernel))
    }
    // Nothing can fail from here on.
    var next = UniqueArray<Region>()
    for (index, description) in table.enumerated() {
      if let region = fresh[index].take() {
        next.append(region)
      } else if let known = take(description) {
        next.append(known)
      }
    }
    swap(&regions, &next)
    var retired = MappedMemory()
    swap(&retired.regions, &next)
    return retired
  }

  /// The table for VHOST_SET_MEM_TABLE: guest addresses to addresses of this process.
  internal var table: MemoryTable {
    var list: [MemoryTable.Region] = []
    for index in 0..<regions.count {
      let description = regions[index].description
      list.append(
        .init(
          guestAddress: description.guestAddress, byteCount: description.byteCount,
          userAddress: regions[index].mapping.address))
    }
    return MemoryTable(list)
  }

  /// Where a ring is in this process. The session has seen to it that every part is wholly in its region.
  internal func addresses(of places: RingPlaces) -> VringAddresses {
    VringAddresses(
      descriptors: address(of: places.descriptors), available: address(of: places.available),
      used: address(of: places.used))
  }

  private func address(of place: MemoryPlace) -> UInt64 { regions[place.region].mapping.address + place.offset }

  private func isKnown(_ description: MemoryRegion, file: FileDescriptor) throws(PlaneError) -> Bool {
    let identity = try Self.identity(of: file)
    for index in 0..<regions.count
    where regions[index].description == description && regions[index].file == identity { return true }
    return false
  }

  private mutating func take(_ description: MemoryRegion) -> Region? {
    for index in 0..<regions.count where regions[index].description == description {
      return regions.remove(at: index)
    }
    return nil
  }

  private static func map(
    _ description: MemoryRegion, file: FileDescriptor, kernel: some KernelInterface
  ) throws(PlaneError) -> Region {
    Region(
      description: description, file: try identity(of: file),
      mapping: try map(
        "memory region at \(hex(description.guestAddress))", file, offset: description.fileOffset,
        byteCount: description.byteCount, isWholePages: true, kernel: kernel))
  }

  /// Maps the dirty log, which ends where it ends: QEMU's is as many words of 64 bits as its guest has memory, in a file
  /// of that length. It is mapped up to the end of its last page.
  internal static func mapLog(
    _ area: LogArea, _ file: FileDescriptor, kernel: some KernelInterface
  ) throws(PlaneError) -> SharedMapping {
    try map(
      "dirty log", file, offset: area.fileOffset, byteCount: area.byteCount, isWholePages: false, kernel: kernel)
  }

  /// Maps a part of a file of memory that a front end has sent.
  ///
  /// Memory it must be (a memfd, or a file on tmpfs or hugetlbfs): a page of any other file may come from a file system
  /// of the peer's, which could keep a worker waiting for ever. All of it in the file.
  private static func map(
    _ what: String, _ file: FileDescriptor, offset: UInt64, byteCount: UInt64, isWholePages: Bool,
    kernel: some KernelInterface
  ) throws(PlaneError) -> SharedMapping {
    let (end, wraps) = offset.addingReportingOverflow(byteCount)
    guard !wraps, byteCount > 0 else { throw PlaneError(what, "its length or offset is out of range") }
    let page: UInt64?
    let available: UInt64
    do throws(Errno) {
      page = try FileTree.memoryPageSize(of: file)
      available = try FileTree.byteCount(of: file)
    } catch {
      throw PlaneError("\(what): fstat of its file", error)
    }
    guard let page else {
      throw PlaneError(what, "its file is not in memory: a memfd, tmpfs or hugetlbfs is wanted")
    }
    let rest = byteCount % page
    guard offset % page == 0, rest == 0 || !isWholePages else {
      throw PlaneError(what, "it is no whole number of its file's pages of \(page) bytes")
    }
    guard available >= end else {
      throw PlaneError(what, "it ends at byte \(end) of a file that has \(available)")
    }
    // No file is longer than Int.max.
    guard let length = Int(exactly: byteCount + (rest == 0 ? 0 : page - rest)) else {
      throw PlaneError(what, "its length or offset is out of range")
    }
    do throws(Errno) {
      return try kernel.mmap(file, offset: offset, byteCount: length)
    } catch {
      throw PlaneError("mmap of the \(what)", error)
    }
  }

  private static func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

  private static func identity(of file: FileDescriptor) throws(PlaneError) -> FileIdentity {
    do {
      return try FileTree.identity(of: file)
    } catch {
      throw PlaneError("fstat of a memory region's file", error)
    }
  }
}
