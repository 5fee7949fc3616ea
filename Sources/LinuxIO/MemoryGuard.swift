internal import CMemoryGuard
public import SystemPackage

/// Memory that a thread may lose while it uses it: mappings of files that somebody else can truncate.
///
/// The SIGBUS of a page that is no longer there ends no process but puts zeros in place of the whole mapping; the thread looks
/// at ``isLost`` before it believes what it has read.
@safe public struct MemoryGuard: ~Copyable, @unchecked Sendable {
  @unsafe private let memory: UnsafeMutablePointer<mq_memory_guard>
  @unsafe private let ranges: UnsafeMutablePointer<mq_guarded_range>
  private let capacity: Int

  /// For so many mappings. sigaction(2): SIGBUS is taken over from now on; one that is nobody's ends the process as ever.
  public init(capacity: Int) throws(Errno) {
    try check(mq_guard_memory())
    self.capacity = capacity
    unsafe ranges = .allocate(capacity: capacity)
    unsafe memory = .allocate(capacity: 1)
    unsafe memory.initialize(to: mq_memory_guard(ranges: ranges, count: 0, isLost: 0))
  }

  deinit {
    unsafe memory.deallocate()
    unsafe ranges.deallocate()
  }

  /// What the calling thread may lose, as long as it runs, is in this guard.
  public func watchThread() { unsafe mq_guard_thread(memory) }

  /// The calling thread may lose nothing any more.
  public static func watchNothing() { mq_guard_thread(nil) }

  /// Whether a page was missing.
  public var isLost: Bool { unsafe memory.pointee.isLost != 0 }

  /// Nothing is guarded any more, and nothing is lost. Only while the thread touches none of the memory.
  public func removeAll() {
    unsafe memory.pointee.count = 0
    unsafe memory.pointee.isLost = 0
  }

  /// Guards one more mapping; likewise.
  public func add(address: UInt64, byteCount: Int) {
    let count = unsafe memory.pointee.count
    precondition(count < capacity, "more mappings than were asked for")
    unsafe ranges[count] = mq_guarded_range(start: UInt(address), byteCount: byteCount)
    unsafe memory.pointee.count = count + 1
  }
}
