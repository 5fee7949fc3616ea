/// One region of guest memory, as SET_MEM_TABLE, ADD_MEM_REG and REM_MEM_REG describe it.
public struct MemoryRegion: Sendable, Hashable {
  /// Where the guest sees it.
  public let guestAddress: UInt64
  /// Its length in bytes.
  public let byteCount: UInt64
  /// Where the front end has it mapped; ring addresses are said in these ("user address").
  public let userAddress: UInt64
  /// Where it starts in the file that came with it ("mmap offset").
  public let fileOffset: UInt64

  /// What every region is a multiple of: no guest maps less than a page, mmap(2) takes no other file offset, and ring
  /// addresses keep their alignment when they are translated. A kernel with larger pages refuses the mapping itself.
  public static let pageSize: UInt64 = 4096

  /// Takes the four.
  public init(guestAddress: UInt64, byteCount: UInt64, userAddress: UInt64, fileOffset: UInt64) {
    self.guestAddress = guestAddress
    self.byteCount = byteCount
    self.userAddress = userAddress
    self.fileOffset = fileOffset
  }

  /// The four words, in the order of the wire.
  internal init(from reader: inout PayloadReader) {
    self.init(
      guestAddress: reader.u64(), byteCount: reader.u64(), userAddress: reader.u64(), fileOffset: reader.u64())
  }

  internal func write(to writer: inout PayloadWriter) {
    writer.u64(guestAddress)
    writer.u64(byteCount)
    writer.u64(userAddress)
    writer.u64(fileOffset)
  }

  /// Refuses a region that is empty, unaligned, or ends past what its numbers can say.
  internal func validate(at position: Int) throws(ProtocolViolation) {
    guard byteCount > 0 else { throw .regionEmpty(region: position) }
    let words: [(RegionField, UInt64)] = [
      (.guestAddress, guestAddress), (.size, byteCount), (.userAddress, userAddress), (.fileOffset, fileOffset),
    ]
    for (field, value) in words where value % Self.pageSize != 0 {
      throw .regionUnaligned(region: position, field, value)
    }
    for (field, value) in words where field != .size {
      let (end, overflow) = value.addingReportingOverflow(byteCount)
      guard !overflow, field != .fileOffset || end <= UInt64(Int64.max) else {
        throw .regionWraps(region: position, field)
      }
    }
  }

  /// The field in which two regions have bytes in common. Both have been validated.
  internal func overlap(with other: MemoryRegion) -> RegionField? {
    if guestAddress < other.guestAddress + other.byteCount, other.guestAddress < guestAddress + byteCount {
      return .guestAddress
    }
    if userAddress < other.userAddress + other.byteCount, other.userAddress < userAddress + byteCount {
      return .userAddress
    }
    return nil
  }

  /// How far into the region so many bytes at a user address start; nil if they are not all in it.
  internal func offset(ofUserAddress address: UInt64, byteCount count: UInt64) -> UInt64? {
    guard address >= userAddress, count <= byteCount else { return nil }
    let offset = address - userAddress
    return offset <= byteCount - count ? offset : nil
  }

  /// Whether REM_MEM_REG means this one: guest address, user address and size; the file offset does not count.
  internal func isNamed(by other: MemoryRegion) -> Bool {
    guestAddress == other.guestAddress && userAddress == other.userAddress && byteCount == other.byteCount
  }
}

/// Which of a region's numbers.
public enum RegionField: String, Sendable {
  /// Where the guest sees it.
  case guestAddress = "guest address"
  /// Its length.
  case size
  /// Where the front end has it.
  case userAddress = "user address"
  /// Where it starts in its file.
  case fileOffset = "mmap offset"
}
