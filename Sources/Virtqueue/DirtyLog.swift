internal import Synchronization

/// The dirty log of a migration: a bit for each page of the guest's memory that we write, set atomically in memory that the front
/// end shares (vhost-user's SET_LOG_BASE).
@safe public struct DirtyLog: BitwiseCopyable {
  @unsafe private let base: UnsafeMutableRawPointer
  private let byteCount: Int

  /// VHOST_LOG_PAGE, whatever the host's page is.
  public static var pageSize: UInt64 { 4096 }

  /// A log of so many bytes from `base` on; what is beyond it is not marked.
  ///
  /// - Safety: it is mapped as long as a ring has it.
  @unsafe public init(base: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe self.base = base
    self.byteCount = byteCount
  }

  /// Marks the pages of `count` bytes from an address on, which have been written already: a bit that is taken before the
  /// write would miss it.
  public func mark(_ address: UInt64, count: UInt64) {
    guard count > 0 else { return }
    let end = address.addingReportingOverflow(count &- 1)
    let last = (end.overflow ? .max : end.partialValue) / Self.pageSize
    var page = address / Self.pageSize
    while page <= last, page / 8 < UInt64(byteCount) {
      let byte = unsafe (base + Int(page / 8)).assumingMemoryBound(to: Atomic<UInt8>.self)
      unsafe byte.pointee.bitwiseOr(1 << UInt8(truncatingIfNeeded: page % 8), ordering: .acquiringAndReleasing)
      page &+= 1
    }
  }
}
