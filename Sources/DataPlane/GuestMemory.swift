internal import BasicContainers
internal import LinuxIO
internal import SystemPackage
internal import VhostKernel

/// The memory that a front end shares, mapped here: what its addresses mean, and the table for vhost.
///
/// This process never looks into it. The kernel's vhost does, through the mappings; a page that the front end takes away
/// behind our back is an EFAULT to a worker, not a SIGBUS to us.
internal struct GuestMemory: ~Copyable {
  /// A region as the front end describes it.
  internal struct Description: Equatable, Sendable {
    var guestAddress: UInt64
    var byteCount: UInt64
    /// Where the front end has it mapped; ring addresses are of this kind.
    var frontEndAddress: UInt64
    /// Where it begins in its file.
    var offset: UInt64
  }

  // Not private: Swift 6.3.1 then emits a module that its own verifier refuses.
  internal struct Region: ~Copyable {
    let description: Description
    let file: FileIdentity
    let mapping: SharedMapping
  }

  private var regions = UniqueArray<Region>()

  /// How many regions there are.
  internal var count: Int { regions.count }

  /// Maps one more. The file must reach as far as the region says.
  internal mutating func add(
    _ description: Description, file: FileDescriptor, kernel: some KernelInterface
  ) throws(PlaneError) {
    regions.append(try Self.map(description, file: file, kernel: kernel))
  }

  /// Takes out the region that is described so, still mapped. The offset is not compared: the front end need not repeat
  /// it.
  internal mutating func remove(_ description: Description) throws(PlaneError) -> GuestMemory {
    for index in 0..<regions.count {
      let known = regions[index].description
      if known.guestAddress == description.guestAddress, known.byteCount == description.byteCount,
        known.frontEndAddress == description.frontEndAddress
      {
        var removed = GuestMemory()
        removed.regions.append(regions.remove(at: index))
        return removed
      }
    }
    throw PlaneError("REM_MEM_REG", "there is no such region")
  }

  /// Becomes the memory that a whole new table describes. A region that is the same piece of the same file keeps its
  /// mapping, so that a ring in it can run on. Returns what is no longer in the table, still mapped: whoever uses it,
  /// such as vhost, is told first.
  internal mutating func replace(
    by table: [Description], files: borrowing UniqueArray<OwnedDescriptor>, kernel: some KernelInterface
  ) throws(PlaneError) -> GuestMemory {
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
    var retired = GuestMemory()
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

  /// The address in this process of `byteCount` bytes at a front end's address; nil unless one region has them all.
  internal func address(ofFrontEnd address: UInt64, byteCount: Int) -> UInt64? {
    for index in 0..<regions.count {
      let description = regions[index].description
      guard address >= description.frontEndAddress else { continue }
      let offset = address - description.frontEndAddress
      if offset < description.byteCount, UInt64(byteCount) <= description.byteCount - offset {
        return regions[index].mapping.address + offset
      }
    }
    return nil
  }

  private func isKnown(_ description: Description, file: FileDescriptor) throws(PlaneError) -> Bool {
    let identity = try Self.identity(of: file)
    for index in 0..<regions.count
    where regions[index].description == description && regions[index].file == identity { return true }
    return false
  }

  private mutating func take(_ description: Description) -> Region? {
    for index in 0..<regions.count where regions[index].description == description {
      return regions.remove(at: index)
    }
    return nil
  }

  private static func map(
    _ description: Description, file: FileDescriptor, kernel: some KernelInterface
  ) throws(PlaneError) -> Region {
    let identity = try identity(of: file)
    let (end, wraps) = description.offset.addingReportingOverflow(description.byteCount)
    guard !wraps, let byteCount = Int(exactly: description.byteCount), byteCount > 0 else {
      throw PlaneError("memory region", "its length or offset is out of range")
    }
    let mapping: SharedMapping
    do throws(Errno) {
      let available = try FileTree.byteCount(of: file)
      guard available >= end else { throw Errno.outOfRange }
      mapping = try kernel.mmap(file, offset: description.offset, byteCount: byteCount)
    } catch {
      throw PlaneError("mmap of a memory region", error)
    }
    return Region(description: description, file: identity, mapping: mapping)
  }

  private static func identity(of file: FileDescriptor) throws(PlaneError) -> FileIdentity {
    do {
      return try FileTree.identity(of: file)
    } catch {
      throw PlaneError("fstat of a memory region's file", error)
    }
  }
}
