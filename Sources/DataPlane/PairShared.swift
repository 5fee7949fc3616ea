internal import LinuxIO
internal import Synchronization
internal import VhostKernel
internal import Virtqueue

/// The little that a pair's thread and the one that tells it things have in common while it serves.
internal struct PairShared: ~Copyable, Sendable {
  /// What the thread is to do, or does.
  internal enum State {
    /// Nothing: its worker is the other one's.
    static var parked: UInt32 { 0 }
    static var serving: UInt32 { 1 }
    static var ended: UInt32 { 2 }
  }

  /// What it is to do.
  internal let order = FutexWord(State.parked)
  /// What it does.
  internal let state = FutexWord(State.parked)
  private let receiveViolation = Atomic<UInt8>(.max)
  private let transmitViolation = Atomic<UInt8>(.max)
  private let memoryIsLost = Atomic<Bool>(false)

  /// Whether the thread is to go on serving.
  @inline(__always)
  internal var isServing: Bool { order.value == State.serving }

  /// By the thread: a ring is broken, and stands still.
  internal func report(_ violation: RingViolation, of ring: VhostRing) {
    switch ring {
    case .receive: receiveViolation.store(violation.rawValue, ordering: .releasing)
    case .transmit: transmitViolation.store(violation.rawValue, ordering: .releasing)
    }
  }

  /// By the thread: guest memory is gone, and nothing moves any more.
  internal func reportLoss() { memoryIsLost.store(true, ordering: .releasing) }

  /// By the other one: what has become of a ring, once.
  internal func takeViolation(of ring: VhostRing) -> RingViolation? {
    switch ring {
    case .receive: RingViolation(rawValue: receiveViolation.exchange(.max, ordering: .acquiring))
    case .transmit: RingViolation(rawValue: transmitViolation.exchange(.max, ordering: .acquiring))
    }
  }

  /// By the other one: whether guest memory is gone, once.
  internal func takeLoss() -> Bool { memoryIsLost.exchange(false, ordering: .acquiring) }
}
