internal import LinuxIO
internal import SystemPackage
internal import VhostKernel
internal import Virtqueue

/// One pair's thread, as the one that tells it things has it. It ends with this value.
@safe internal struct PairThread: ~Copyable, @unchecked Sendable {
  private typealias State = PairShared.State

  /// How many milliseconds a thread that is to stop may be stuck in one call. Nothing that it does takes so long, but a peer
  /// can fill the counter of an eventfd to which the thread writes.
  private static var patience: Int { 100 }

  @unsafe private let shared: UnsafeMutablePointer<PairShared>
  @unsafe private let worker: UnsafeMutablePointer<PairWorker>
  private let wakeEvent: CInt
  private let thread: WorkerThread

  /// pthread_create(3) of a thread that is parked.
  internal init(_ worker: consuming PairWorker) throws(Errno) {
    let shared = UnsafeMutablePointer<PairShared>.allocate(capacity: 1)
    let place = UnsafeMutablePointer<PairWorker>.allocate(capacity: 1)
    unsafe shared.initialize(to: PairShared())
    wakeEvent = worker.wake.rawValue
    unsafe place.initialize(to: worker)
    unsafe place.pointee.shared = unsafe UnsafePointer(shared)
    do throws(Errno) {
      thread = try unsafe WorkerThread(place) { context in
        if let context = unsafe context { unsafe PairThread.main(context.assumingMemoryBound(to: PairWorker.self)) }
        return nil
      }
    } catch {
      unsafe Self.free(shared, place)
      throw error
    }
    unsafe self.shared = shared
    unsafe self.worker = place
  }

  deinit {
    unsafe shared.pointee.order.set(State.ended)
    FrameIO.signal(wakeEvent)
    awaitParked()
    thread.join()
    unsafe Self.free(shared, worker)
  }

  private static func free(_ shared: UnsafeMutablePointer<PairShared>, _ worker: UnsafeMutablePointer<PairWorker>) {
    unsafe worker.deinitialize(count: 1)
    unsafe worker.deallocate()
    unsafe shared.deinitialize(count: 1)
    unsafe shared.deallocate()
  }

  /// The thread's own: serves when it is told to, and waits for a word otherwise.
  private static func main(_ worker: UnsafeMutablePointer<PairWorker>) {
    guard let shared = unsafe worker.pointee.shared else { return }
    unsafe WorkerThread.setName("pair \(worker.pointee.index)")
    unsafe worker.pointee.memory.watchThread()
    while true {
      switch unsafe shared.pointee.order.value {
      case State.parked: unsafe shared.pointee.order.wait(while: State.parked)
      case State.serving:
        unsafe shared.pointee.state.set(State.serving)
        unsafe worker.pointee.serve(shared.pointee)
        unsafe shared.pointee.state.set(State.parked)
      default: return
      }
    }
  }

  /// Changes the worker while the thread stands still between two turns; then it goes on, if there is anything to go on
  /// with. Takes as long as a turn does, which is less than a millisecond.
  internal func change(_ body: (inout PairWorker) throws(PlaneError) -> Void) throws(PlaneError) {
    park()
    unsafe worker.pointee.memory.watchThread()
    defer {
      MemoryGuard.watchNothing()
      if unsafe worker.pointee.hasRunningRing { resume() }
    }
    try unsafe body(&worker.pointee)
  }

  /// What the thread has to say: rings whose driver has broken the rules, and whether guest memory is gone.
  internal func takeReport() -> (violations: [(VhostRing, RingViolation)], memoryIsLost: Bool) {
    var violations: [(VhostRing, RingViolation)] = []
    for ring in VhostRing.allCases {
      if let violation = unsafe shared.pointee.takeViolation(of: ring) { violations.append((ring, violation)) }
    }
    return unsafe (violations, shared.pointee.takeLoss())
  }

  private func park() {
    guard unsafe shared.pointee.order.value == State.serving else { return }
    unsafe shared.pointee.order.set(State.parked)
    FrameIO.signal(wakeEvent)
    awaitParked()
  }

  private func awaitParked() {
    while unsafe shared.pointee.state.value == State.serving {
      unsafe shared.pointee.state.wait(while: State.serving, milliseconds: Self.patience)
      if unsafe shared.pointee.state.value == State.serving { thread.interrupt() }
    }
  }

  /// Returns when the thread serves, so that the next ``park()`` has something to wait for.
  private func resume() {
    unsafe shared.pointee.order.set(State.serving)
    while unsafe shared.pointee.state.value == State.parked {
      unsafe shared.pointee.state.wait(while: State.parked)
    }
  }
}
