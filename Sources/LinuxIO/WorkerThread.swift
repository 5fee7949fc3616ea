internal import CLinuxUAPI
internal import CMemoryGuard
internal import Glibc
public import SystemPackage

/// A thread of the C library (pthreads(7)) with a small stack. It takes no signals but those of its own doing.
public struct WorkerThread: Sendable {
  private let thread: pthread_t

  /// pthread_create(3). `body` gets `context`, which must outlive the thread.
  public init(
    _ context: UnsafeMutableRawPointer,
    body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  ) throws(Errno) {
    var thread = pthread_t()
    let error = unsafe mq_thread_start(&thread, 256 << 10, body, context)
    guard error == 0 else { throw Errno(rawValue: error) }
    self.thread = thread
  }

  /// A system call in which the thread waits returns with `EINTR`.
  public func interrupt() { _ = mq_thread_interrupt(thread) }

  /// pthread_join(3): waits until the thread has ended. Once.
  public func join() { _ = pthread_join(thread, nil) }

  /// prctl(PR_SET_NAME): what the calling thread is called in /proc, up to 15 bytes.
  public static func setName(_ name: String) { _ = unsafe mq_set_thread_name(name) }
}
