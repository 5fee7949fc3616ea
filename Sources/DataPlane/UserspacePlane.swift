internal import BasicContainers
public import LinuxIO
public import Orchestrator
public import SystemPackage
internal import TapMQ
public import VhostKernel
internal import Virtqueue

/// A virtio-net device of threads of this process: one for each pair, between its rings in guest memory and its tap queue. Nothing is
/// shared on the way of a frame, and a thread that has nothing to do does not run.
///
/// What is told to a pair is told to its thread between two of its turns.
public struct UserspacePlane<Kernel: KernelInterface>: Plane, ~Copyable {
  private let kernel: Kernel
  private let busyPoll: UInt64
  private let alarmEvent: OwnedDescriptor
  private var threads = UniqueArray<PairThread>()

  /// What the rings of ``Virtqueue`` can do. They use buffers in the order in which they were made available, whatever was
  /// negotiated.
  private static var features: VhostFeatures {
    [.mergeableReceiveBuffers, .logAll, .indirectDescriptors, .eventIndex, .version1, .inOrder]
  }

  /// The pairs that it serves need no vhost device.
  ///
  /// - Parameter busyPoll: how long a thread that has run out of work looks for more before it sleeps.
  public init(busyPoll: Duration = .zero, kernel: Kernel) throws(PlaneError) {
    self.kernel = kernel
    self.busyPoll = UInt64(max(.zero, busyPoll) / .nanoseconds(1))
    do throws(Errno) {
      alarmEvent = try kernel.eventfd()
    } catch {
      throw PlaneError("eventfd", error)
    }
  }

  /// Makes the threads, each of which waits for its first ring.
  public mutating func start(_ set: borrowing PairSet<Kernel>) throws(PlaneError) {
    for pair in 0..<set.count {
      do throws(Errno) {
        threads.append(
          try PairThread(
            PairWorker(
              index: pair, tap: set.pairs[pair].tap.fileDescriptor, alarm: alarmEvent.rawValue, busyPoll: busyPoll,
              kernel: kernel)))
      } catch {
        throw PlaneError("the thread of pair \(pair)", error)
      }
    }
  }

  /// Those that the rings have, of any pair.
  public func features(of pair: borrowing QueuePair<Kernel>) -> VhostFeatures { Self.features }

  /// Nothing: a pair is anybody's to whom its thread listens.
  public func setOwner(of pair: borrowing QueuePair<Kernel>) {}

  /// Forgets the front end.
  public func resetOwner(of pair: borrowing QueuePair<Kernel>) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in
      for ring in VhostRing.allCases { try worker.setRunning(ring, false) }
      worker.forget()
    }
    // What it had to say was about that one.
    _ = threads[pair.index].takeReport()
  }

  /// What the pair's rings are to do.
  public func setFeatures(
    _ features: VhostFeatures, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in try worker.setFeatures(features) }
  }

  /// Where guest memory is from now on.
  public func setMemoryTable(
    _ table: MemoryTable, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in try worker.setMemoryTable(table) }
  }

  /// Where the dirty log is from now on.
  public func setLog(
    _ log: borrowing SharedMapping, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    let (address, byteCount) = (log.address, log.byteCount)
    try change(pair) { worker throws(PlaneError) in try worker.setLog(address: address, byteCount: byteCount) }
  }

  /// The number of entries.
  public func setNumber(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to size: Int
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in worker.setNumber(ring, to: size) }
  }

  /// Where the ring is to go on.
  public func setBase(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to index: UInt16
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in worker.setBase(ring, to: index) }
  }

  /// Where it has stopped.
  public func base(_ ring: VhostRing, of pair: borrowing QueuePair<Kernel>) throws(PlaneError) -> UInt16 {
    var base: UInt16 = 0
    try change(pair) { worker throws(PlaneError) in base = worker.base(ring) }
    return base
  }

  /// Where its parts are.
  public func setAddresses(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to addresses: VringAddresses, log: UInt64?
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in try worker.setAddresses(ring, to: addresses, log: log) }
  }

  /// An eventfd, and nothing else: other descriptors could block.
  public func setKick(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in
      try worker.setKick(ring, to: Self.copy(event, "SET_VRING_KICK"))
    }
  }

  /// Likewise.
  public func setCall(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in
      try worker.setCall(ring, to: Self.copyIfAny(event, "SET_VRING_CALL"))
    }
  }

  /// Likewise.
  public func setError(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in
      try worker.setError(ring, to: Self.copyIfAny(event, "SET_VRING_ERR"))
    }
  }

  /// The ring runs, or stands still when this returns.
  public func setRunning(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, _ isRunning: Bool
  ) throws(PlaneError) {
    try change(pair) { worker throws(PlaneError) in try worker.setRunning(ring, isRunning) }
  }

  /// An eventfd to which the threads write.
  public var alarm: FileDescriptor? { alarmEvent.descriptor }

  /// What the threads have to say.
  public func takeTroubles() -> [PlaneTrouble] {
    // The count is of no interest.
    _ = try? kernel.readFrame(from: alarmEvent.descriptor, atMost: 8)
    var troubles: [PlaneTrouble] = []
    for pair in 0..<threads.count {
      let report = threads[pair].takeReport()
      for (ring, violation) in report.violations {
        troubles.append(.ringBroken(2 * pair + Int(ring.rawValue), reason: "\(violation)"))
      }
      if report.memoryIsLost { troubles.append(.memoryLost) }
    }
    return troubles
  }

  private static func copyIfAny(
    _ event: FileDescriptor?, _ request: String
  ) throws(PlaneError) -> OwnedDescriptor? {
    guard let event else { return nil }
    return try copy(event, request)
  }

  private static func copy(_ event: FileDescriptor, _ request: String) throws(PlaneError) -> OwnedDescriptor {
    do throws(Errno) {
      try FrameIO.requireEvent(event)
      return try OwnedDescriptor(copying: event)
    } catch {
      throw PlaneError(request, error)
    }
  }

  private func change(
    _ pair: borrowing QueuePair<Kernel>, _ body: (inout PairWorker) throws(PlaneError) -> Void
  ) throws(PlaneError) {
    guard pair.index < threads.count else { throw PlaneError("pair \(pair.index)", "it has no thread yet") }
    try threads[pair.index].change(body)
  }
}
