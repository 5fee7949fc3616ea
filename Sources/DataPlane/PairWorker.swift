internal import LinuxIO
internal import SystemPackage
internal import VhostKernel
internal import Virtqueue

/// What the thread of one pair works with: its rings as they were told, and those of them that run.
///
/// It belongs to the thread while that serves, and to the one that tells it things while the thread is parked
/// (``PairThread``). Nothing of it is shared, so there is no lock on the way of a frame.
@safe internal struct PairWorker: ~Copyable {
  /// What was told of a ring.
  internal struct Told: ~Copyable {
    var size = 0
    var base: UInt16 = 0
    var addresses: VringAddresses?
    var usedLog: UInt64?
    var kick: OwnedDescriptor?
    var call: OwnedDescriptor?
    var error: OwnedDescriptor?

    /// The descriptor's number; -1 for none.
    static func number(_ event: borrowing OwnedDescriptor?) -> CInt {
      switch event {
      case .some(let event): event.rawValue
      case .none: -1
      }
    }
  }

  /// The descriptors that the thread waits for, by their numbers.
  internal enum Source {
    static var wake: UInt32 { 0 }
    static var tap: UInt32 { 1 }
    static var receiveKick: UInt32 { 2 }
    static var transmitKick: UInt32 { 3 }
  }

  /// The pair's number in the device.
  internal let index: Int
  /// What is not the thread's alone; set by ``PairThread``.
  @unsafe internal var shared: UnsafePointer<PairShared>?
  internal let tap: FileDescriptor
  internal let poll: EventPoll
  internal let wake: OwnedDescriptor
  internal let alarm: CInt
  internal let busyPoll: UInt64
  /// The guest's memory and the log, each of which may be cut short.
  internal let memory: MemoryGuard
  internal var receive: ReceiveHalf?
  internal var transmit: TransmitHalf?
  /// Whether frames that come to the tap end the thread's waiting.
  internal var watchesTap = true

  internal var toldReceive = Told()
  internal var toldTransmit = Told()
  private var features = VhostFeatures()
  private var table = MemoryTable([])
  private var oldTable = MemoryTable([])
  private var log: (address: UInt64, byteCount: Int)?

  /// - Parameters:
  ///   - alarm: the eventfd that says that the thread has something to report.
  ///   - busyPoll: how many nanoseconds the thread looks for work before it waits for it.
  internal init(
    index: Int, tap: FileDescriptor, alarm: CInt, busyPoll: UInt64, kernel: some KernelInterface
  ) throws(Errno) {
    let wake = try kernel.eventfd()
    let poll = try EventPoll()
    try poll.add(wake.descriptor, as: Source.wake, [.input, .edge])
    try poll.add(tap, as: Source.tap, [.input, .output, .edge])
    // As many regions as the session takes, twice, and the log.
    memory = try MemoryGuard(capacity: 129)
    self.wake = wake
    self.poll = poll
    self.index = index
    self.tap = tap
    self.alarm = alarm
    self.busyPoll = busyPoll
  }

  private subscript(ring: VhostRing) -> Told {
    _read {
      switch ring {
      case .receive: yield toldReceive
      case .transmit: yield toldTransmit
      }
    }
    _modify {
      switch ring {
      case .receive: yield &toldReceive
      case .transmit: yield &toldTransmit
      }
    }
  }

  /// Whether there is anything for the thread to do.
  internal var hasRunningRing: Bool { receive != nil || transmit != nil }

  private func isRunning(_ ring: VhostRing) -> Bool { ring == .receive ? receive != nil : transmit != nil }
}

/// While the thread is parked: what ``Plane`` has, of one pair.
extension PairWorker {
  internal mutating func setFeatures(_ features: VhostFeatures) throws(PlaneError) {
    self.features = features
    try rebuild()
  }

  /// Rings that run are in the old table's mappings until they are told their new addresses.
  internal mutating func setMemoryTable(_ table: MemoryTable) throws(PlaneError) {
    oldTable = self.table
    self.table = table
    try rebuild()
  }

  internal mutating func setLog(address: UInt64, byteCount: Int) throws(PlaneError) {
    log = (address, byteCount)
    try rebuild()
  }

  internal mutating func setAddresses(
    _ ring: VhostRing, to addresses: VringAddresses, log: UInt64?
  ) throws(PlaneError) {
    self[ring].addresses = addresses
    self[ring].usedLog = log
    try rebuild()
  }

  internal mutating func setNumber(_ ring: VhostRing, to size: Int) { self[ring].size = size }

  internal mutating func setBase(_ ring: VhostRing, to base: UInt16) { self[ring].base = base }

  internal func base(_ ring: VhostRing) -> UInt16 { self[ring].base }

  internal mutating func setKick(_ ring: VhostRing, to event: consuming OwnedDescriptor) throws(PlaneError) {
    if isRunning(ring) { try watch(ring, false) }
    self[ring].kick = consume event
    if isRunning(ring) { try watch(ring, true) }
  }

  internal mutating func setCall(_ ring: VhostRing, to event: consuming OwnedDescriptor?) {
    let number = Told.number(event)
    switch ring {
    case .receive: receive?.call = number
    case .transmit: transmit?.call = number
    }
    self[ring].call = event
  }

  internal mutating func setError(_ ring: VhostRing, to event: consuming OwnedDescriptor?) {
    self[ring].error = event
  }

  /// Starts a ring of which everything was told, or stops it where it is.
  internal mutating func setRunning(_ ring: VhostRing, _ wanted: Bool) throws(PlaneError) {
    guard wanted != isRunning(ring) else { return }
    switch (ring, wanted) {
    case (.receive, true):
      receive = ReceiveHalf(
        try makeRing(toldReceive), size: toldReceive.size,
        isMergeable: features.contains(.mergeableReceiveBuffers), call: Told.number(toldReceive.call))
    case (.transmit, true):
      transmit = TransmitHalf(try makeRing(toldTransmit), call: Told.number(toldTransmit.call))
    case (_, false): halt(ring)
    }
    try watch(ring, wanted)
  }

  /// The ring runs no more; where it has come to is its base.
  internal mutating func halt(_ ring: VhostRing) {
    switch ring {
    case .receive:
      if let base = receive?.giveBack() { toldReceive.base = base }
      receive = nil
    case .transmit:
      if let base = transmit?.giveBack() { toldTransmit.base = base }
      transmit = nil
    }
  }

  /// Forgets all that was told. Nothing runs.
  internal mutating func forget() {
    toldReceive = Told()
    toldTransmit = Told()
    features = []
    table = MemoryTable([])
    oldTable = MemoryTable([])
    log = nil
    memory.removeAll()
  }

  /// Rings that run go on from where they are, with what they were told since.
  private mutating func rebuild() throws(PlaneError) {
    guardMemory()
    if let base = receive?.giveBack() {
      toldReceive.base = base
      var ring = try makeRing(toldReceive)
      receive?.exchangeRing(with: &ring)
    }
    if let base = transmit?.giveBack() {
      toldTransmit.base = base
      var ring = try makeRing(toldTransmit)
      transmit?.exchangeRing(with: &ring)
    }
  }

  private func makeRing(_ told: borrowing Told) throws(PlaneError) -> DeviceRing {
    let bits: [(VhostFeatures, DeviceRing.Features)] = [
      (.eventIndex, .eventIndex), (.indirectDescriptors, .indirectDescriptors),
      (.mergeableReceiveBuffers, .mergeableReceiveBuffers), (.version1, .version1),
    ]
    var ours = DeviceRing.Features()
    for (bit, own) in bits where features.contains(bit) { ours.formUnion(own) }
    var regions: [GuestRegion] = []
    for region in table.regions {
      guard let base = unsafe Self.pointer(region.userAddress) else { continue }
      unsafe regions.append(
        GuestRegion(guestAddress: region.guestAddress, byteCount: region.byteCount, base: base))
    }
    var dirty: DirtyLog?
    if features.contains(.logAll), let log, let base = unsafe Self.pointer(log.address) {
      unsafe dirty = DirtyLog(base: base, byteCount: log.byteCount)
    }
    guard let addresses = told.addresses, let descriptors = unsafe Self.pointer(addresses.descriptors),
      let available = unsafe Self.pointer(addresses.available), let used = unsafe Self.pointer(addresses.used),
      var ring = unsafe DeviceRing(
        size: told.size, parts: .init(descriptors: descriptors, available: available, used: used), regions: regions,
        features: ours, base: told.base, log: dirty, usedLogAddress: told.usedLog)
    else { throw PlaneError("a ring", "its size or addresses are none that a ring can have") }
    // The thread looks for work before it waits, and asks for kicks then.
    ring.suppressKicks()
    return ring
  }

  /// An address in one of this process's mappings.
  private static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
  }

  private func guardMemory() {
    guard !memory.isLost else { return }
    memory.removeAll()
    for region in table.regions + oldTable.regions {
      memory.add(address: region.userAddress, byteCount: Int(region.byteCount))
    }
    if let log { memory.add(address: log.address, byteCount: log.byteCount) }
  }

  /// Each write to a kick is an edge, so it need not be read.
  private func watch(_ ring: VhostRing, _ isWatched: Bool) throws(PlaneError) {
    let number = Told.number(self[ring].kick)
    guard number >= 0 else { return }
    let kick = FileDescriptor(rawValue: number)
    do throws(Errno) {
      if isWatched {
        try poll.add(kick, as: ring == .receive ? Source.receiveKick : Source.transmitKick, [.input, .edge])
      } else {
        try poll.remove(kick)
      }
    } catch {
      throw PlaneError("epoll_ctl of a kick", error)
    }
  }
}
