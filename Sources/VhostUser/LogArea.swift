/// SET_LOG_BASE with LOG_SHMFD: where in the file that comes with it the dirty log is. A bit a page of 4096 bytes.
public struct LogArea: Sendable, Hashable {
  /// Its length in bytes.
  public let byteCount: UInt64
  /// Where guest address 0 is logged, in the file.
  public let fileOffset: UInt64

  /// What a bit stands for (VHOST_LOG_PAGE).
  public static let pageSize: UInt64 = 4096

  /// Takes the two.
  public init(byteCount: UInt64, fileOffset: UInt64) {
    self.byteCount = byteCount
    self.fileOffset = fileOffset
  }

  internal func validate() throws(ProtocolViolation) {
    guard byteCount > 0 else { throw .logEmpty }
    guard fileOffset % MemoryRegion.pageSize == 0 else { throw .logUnaligned(fileOffset) }
    let (end, overflow) = fileOffset.addingReportingOverflow(byteCount)
    guard !overflow, end <= UInt64(Int64.max) else { throw .logWraps }
  }

  /// How long a log must be for the bytes up to and with `last`.
  internal static func byteCount(coveringTo last: UInt64) -> UInt64 {
    last / (pageSize * 8) + 1
  }
}
