/// A stretch of memory that readv(2) fills or writev(2) takes: laid out as `struct iovec`.
@safe public struct IOVector: BitwiseCopyable {
  /// Its first byte.
  @unsafe public var base: UnsafeMutableRawPointer
  /// Its length in bytes.
  public var byteCount: Int

  /// The most that one call takes: UIO_MAXIOV.
  @inlinable
  public static var maximumCount: Int { 1024 }

  /// Names a stretch.
  ///
  /// - Safety: the memory is there whenever the vector is used.
  @unsafe @inlinable
  public init(base: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe self.base = base
    self.byteCount = byteCount
  }
}
