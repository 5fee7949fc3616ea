internal import CLinuxUAPI
internal import Glibc

/// The clock that never goes back (clock_gettime(2), CLOCK_MONOTONIC), without an allocation or a call to the kernel.
public enum MonotonicClock {
  /// Nanoseconds since some time before.
  public static var nanoseconds: UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }
}
