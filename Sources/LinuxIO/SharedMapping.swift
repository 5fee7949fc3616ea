internal import Glibc

/// Memory from mmap(2) that this value owns: `deinit` unmaps it.
///
/// Unsafe to touch but through its pointer, and shared with whoever else maps it: the kernel's vhost, a guest.
@safe public struct SharedMapping: ~Copyable, @unchecked Sendable {
  /// The first byte. Page-aligned.
  @unsafe public let baseAddress: UnsafeMutableRawPointer
  /// The length that was asked for.
  public let byteCount: Int

  /// Takes over a mapping of `byteCount` bytes at `baseAddress`.
  ///
  /// - Safety: it came from mmap(2) with that length, and nothing else unmaps it.
  @unsafe public init(adopting baseAddress: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe self.baseAddress = baseAddress
    self.byteCount = byteCount
  }

  /// The address as vhost's `userspace_addr` and ring addresses want it.
  public var address: UInt64 { unsafe UInt64(UInt(bitPattern: baseAddress)) }

  deinit {
    _ = unsafe munmap(baseAddress, byteCount)
  }
}
