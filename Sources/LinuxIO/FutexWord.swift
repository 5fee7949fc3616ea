internal import CLinuxUAPI
public import Synchronization

/// A number that one thread sets and another waits for (futex(2)).
@safe public struct FutexWord: ~Copyable, @unchecked Sendable {
  @unsafe @usableFromInline internal let word: UnsafeMutablePointer<Atomic<UInt32>>

  /// Begins with `value`.
  public init(_ value: UInt32) {
    unsafe word = .allocate(capacity: 1)
    unsafe word.initialize(to: Atomic(value))
  }

  deinit {
    unsafe word.deinitialize(count: 1)
    unsafe word.deallocate()
  }

  /// What it is.
  @inlinable @inline(__always)
  public var value: UInt32 { unsafe word.pointee.load(ordering: .acquiring) }

  /// Sets it, and wakes who waits.
  public func set(_ value: UInt32) {
    unsafe word.pointee.store(value, ordering: .sequentiallyConsistent)
    unsafe mq_futex_wake(word)
  }

  /// Waits while it is `value`, and at most so many milliseconds (-1: for ever). May return early.
  public func wait(while value: UInt32, milliseconds: Int = -1) {
    unsafe mq_futex_wait(word, value, CInt(truncatingIfNeeded: milliseconds))
  }
}
