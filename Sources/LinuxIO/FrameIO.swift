internal import CLinuxUAPI
public import SystemPackage

/// The calls that move every frame: read(2), readv(2), write(2), writev(2), without a word that is not needed. Each returns a
/// count of bytes, or a negative errno.
public enum FrameIO {
  /// read(2).
  @unsafe @inline(never)
  public static func read(_ descriptor: CInt, _ base: UnsafeMutableRawPointer, _ byteCount: Int) -> Int {
    unsafe mq_read(descriptor, base, byteCount)
  }

  /// write(2).
  @unsafe @inline(never)
  public static func write(_ descriptor: CInt, _ base: UnsafeRawPointer, _ byteCount: Int) -> Int {
    unsafe mq_write(descriptor, base, byteCount)
  }

  /// readv(2) of up to ``IOVector/maximumCount`` stretches.
  @unsafe @inline(never)
  public static func read(_ descriptor: CInt, _ vectors: UnsafePointer<IOVector>, count: Int) -> Int {
    unsafe mq_readv(descriptor, vectors, count)
  }

  /// writev(2), likewise.
  @unsafe @inline(never)
  public static func write(_ descriptor: CInt, _ vectors: UnsafePointer<IOVector>, count: Int) -> Int {
    unsafe mq_writev(descriptor, vectors, count)
  }

  /// Adds 1 to an eventfd. One whose counter is full, as a peer can make it, keeps the caller waiting unless it does not
  /// block: ``WorkerThread/interrupt()`` ends that.
  public static func signal(_ event: CInt) {
    var one: UInt64 = 1
    _ = unsafe mq_write(event, &one, 8)
  }

  /// Whether a descriptor that a peer has sent is an eventfd; `EINVAL` if it is something else, which could block for ever.
  public static func requireEvent(_ descriptor: FileDescriptor) throws(Errno) {
    try check(mq_is_eventfd(descriptor.rawValue))
  }

  /// `EAGAIN`, as a result.
  @inlinable public static var wouldBlock: Int { -11 }
  /// `EINTR`, likewise.
  @inlinable public static var interrupted: Int { -4 }
  /// `EFAULT`, likewise: memory that was there is there no more.
  @inlinable public static var fault: Int { -14 }
}
