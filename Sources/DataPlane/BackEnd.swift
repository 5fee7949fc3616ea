internal import BasicContainers
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel
internal import VhostUser

/// A device's pairs under the control of somebody else's device model: what a vhost-user front end says of rings and
/// memory is told to the plane that moves the frames.
///
/// Ring 2i, 2i + 1 of the device is ring 0, 1 of pair i. Which rings are to run, and where they are, the session knows;
/// this makes it so after every action (``carryOut(_:_:for:)``). A pair's tap queue is attached (TUNSETQUEUE)
/// while one of its rings runs, since tun steers flows to every attached queue.
///
/// A ring that is enabled no more is stopped where it is, so that it can go on from there: its TX frames wait instead of
/// being thrown away.
///
/// **Memory that the plane knows of stays mapped.** What replaces it is told to every pair first; where that
/// fails half-way, the device is ``isBroken``, and `end()` takes it from the plane before anything is unmapped. Otherwise
/// a guest would have whatever this process maps next at that address.
internal struct BackEnd<Moving: Plane & ~Copyable>: ~Copyable {
  /// What the plane was told of a ring that runs.
  private struct Told: Equatable {
    var addresses: VringAddresses
    /// Where writes to its used part are logged.
    var log: UInt64?
  }

  private let kernel: Moving.Kernel
  // Who uses memory ends before it.
  private var plane: Moving
  private let set: PairSet<Moving.Kernel>
  private var memory = MappedMemory()
  private var retired = UniqueArray<MappedMemory>()
  private var logs = UniqueArray<SharedMapping>()
  private var running: [Told?]
  /// Of each ring, whether the device was reset and nobody has said since where the ring is to start: at 0 then.
  private var startsAnew: [Bool]
  private var isAttached: [Bool]
  private var isOwned: [Bool]
  private let keepsCarrier: Bool
  /// What every pair offers.
  internal private(set) var offered = VhostFeatures()
  /// Whether pairs have been left with half of a change: nothing but `end()` helps.
  internal private(set) var isBroken = false

  /// Takes the pairs over and detaches their queues: none carries anything yet.
  ///
  /// - Parameter keepsCarrier: whether the tap has its carrier also while no pair runs.
  internal init(
    _ set: consuming PairSet<Moving.Kernel>, on plane: consuming Moving, keepsCarrier: Bool, kernel: Moving.Kernel
  ) throws(PlaneError) {
    self.kernel = kernel
    self.keepsCarrier = keepsCarrier
    running = Array(repeating: nil, count: 2 * set.count)
    startsAnew = Array(repeating: false, count: 2 * set.count)
    isAttached = Array(repeating: true, count: set.count)
    isOwned = Array(repeating: false, count: set.count)
    self.set = set
    self.plane = plane
    // Nothing may fail before all of this value is there.
    offered = try self.plane.features(of: self.set.pairs[0])
    for pair in 0..<self.set.count { try setAttached(pair, false) }
  }

  /// Before the first front end.
  internal mutating func start() throws(PlaneError) { try plane.start(set) }

  /// See ``Plane``.
  internal var alarm: FileDescriptor? { plane.alarm }

  /// Likewise.
  internal func takeTroubles() -> [PlaneTrouble] { plane.takeTroubles() }

  /// A front end has come.
  internal mutating func begin() throws(PlaneError) {
    for pair in 0..<set.count {
      try plane.setOwner(of: set.pairs[pair])
      isOwned[pair] = true
    }
  }

  /// Where a ring stopped.
  internal struct Stop: Sendable, Equatable {
    let ring: Int
    let base: UInt16
  }

  /// The front end has gone: everything stops, the plane forgets it (VHOST_RESET_OWNER), and its memory is unmapped.
  /// Whatever fails here, the rest is done; a pair that cannot be given back keeps the memory mapped, and itself
  /// from the next front end. Returns where the rings that ran have stopped.
  internal mutating func end() throws(PlaneError) -> [Stop] {
    var stops: [Stop] = []
    for ring in running.indices where running[ring] != nil {
      try? plane.setRunning(VhostRing(ofDevice: ring), of: set.pairs[ring / 2], false)
      if let base = try? base(of: ring) { stops.append(Stop(ring: ring, base: base)) }
      running[ring] = nil
    }
    var failure: PlaneError?
    for pair in 0..<set.count {
      do throws(PlaneError) {
        if isOwned[pair] { try plane.resetOwner(of: set.pairs[pair]) }
        isOwned[pair] = false
        try setAttached(pair, false)
      } catch {
        failure = failure ?? error
      }
    }
    startsAnew = Array(repeating: false, count: running.count)
    if isOwned.contains(true) {
      var kept = MappedMemory()
      swap(&memory, &kept)
      retired.append(kept)
    } else {
      memory = MappedMemory()
      retired.removeAll()
      logs.removeAll()
      isBroken = false
    }
    if let failure { throw failure }
    return stops
  }

  // MARK: What a front end asks for

  /// Carries out what the session has made of a message, then lets run what is to run now.
  ///
  /// - Parameters:
  ///   - files: the message's descriptors.
  ///   - session: as it is after the message.
  internal mutating func carryOut(
    _ action: Action, _ files: borrowing UniqueArray<OwnedDescriptor>, for session: Session
  ) throws(PlaneError) {
    try halt(for: session)
    switch action {
    case .none, .reply, .stop, .enable, .disableRings, .setMTU: break
    case .setFeatures(let features): try setFeatures(features, isLogging: session.isLogging)
    case .setMemoryTable(let regions):
      try tellMemory(retiring: try memory.replace(by: regions, files: files, kernel: kernel), for: session)
    case .addRegion(let region):
      try memory.add(region, file: files[0].descriptor, kernel: kernel)
      try tellMemory(retiring: MappedMemory(), for: session)
    case .removeRegion(_, let index): try tellMemory(retiring: memory.remove(at: index), for: session)
    case .setRing(let ring, let setting): try setRing(ring, setting, files)
    case .setLog(let area): try setLog(area, files[0].descriptor, for: session)
    case .sendRARP(let address): try announce(address)
    case .reset: try reset()
    case .setLogEvent: throw PlaneError("SET_LOG_FD", "this back end does not say when the log has changed")
    case .setBackEndChannel: throw PlaneError("SET_BACKEND_REQ_FD", "this back end has nothing to ask")
    }
    try run(for: session)
  }

  /// Makes rings run and halt as in an earlier state of the session, after an action that failed.
  internal mutating func restore(_ session: Session) throws(PlaneError) {
    guard !isBroken else { throw PlaneError("data plane", "some pairs have taken a change and some have not") }
    try halt(for: session)
    try run(for: session)
  }

  /// GET_VRING_BASE: where a ring that does not run would go on.
  internal func base(of ring: Int) throws(PlaneError) -> UInt16 {
    try plane.base(VhostRing(ofDevice: ring), of: set.pairs[ring / 2])
  }

  // MARK: How it is done

  /// SET_FEATURES, split: the plane takes what it offers of them, the tap the header's size and the offloads.
  private func setFeatures(_ wanted: DeviceFeatures, isLogging: Bool) throws(PlaneError) {
    let ours = VhostFeatures(rawValue: wanted.rawValue).intersection(offered)
    let features = isLogging ? ours : ours.subtracting(.logAll)
    for pair in 0..<set.count { try plane.setFeatures(features, of: set.pairs[pair]) }
    do throws(TapError) {
      try set.pairs[0].tap.setVnetHeaderSize(Self.headerSize(wanted))
      try set.pairs[0].tap.setOffload(FeatureSplit.offload(ofGuest: wanted.rawValue))
    } catch {
      throw PlaneError(error)
    }
  }

  private static func headerSize(_ features: DeviceFeatures) -> VnetHeaderSize {
    features.isDisjoint(with: [.mergeableReceiveBuffers, .version1]) ? .legacy : .mergeable
  }

  /// The memory table of what is mapped now. Rings that run are told their new addresses at once and never stop: what
  /// their worker finds at the old ones is mapped until all is told.
  private mutating func tellMemory(
    retiring old: consuming MappedMemory, for session: Session
  ) throws(PlaneError) {
    retired.append(old)
    isBroken = true
    let table = memory.table
    for pair in 0..<set.count { try plane.setMemoryTable(table, of: set.pairs[pair]) }
    try tellRunning(session)
    isBroken = false
    retired.removeAll()
  }

  /// SET_LOG_BASE: the dirty log, mapped here and handed to the plane for every pair.
  private mutating func setLog(_ area: LogArea, _ file: FileDescriptor, for session: Session) throws(PlaneError) {
    logs.append(try MappedMemory.mapLog(area, file, kernel: kernel))
    isBroken = true
    for pair in 0..<set.count { try plane.setLog(logs[logs.count - 1], of: set.pairs[pair]) }
    if let features = session.features { try setFeatures(features, isLogging: session.isLogging) }
    try tellRunning(session)
    isBroken = false
    while logs.count > 1 { _ = logs.remove(at: 0) }
  }

  private mutating func setRing(
    _ index: Int, _ setting: RingSetting, _ files: borrowing UniqueArray<OwnedDescriptor>
  ) throws(PlaneError) {
    let ring = VhostRing(ofDevice: index)
    switch setting {
    case .addresses: break  // The session has them, and a ring is told before it starts.
    case .size(let size): try plane.setNumber(ring, of: set.pairs[index / 2], to: size)
    case .base(let base):
      try plane.setBase(ring, of: set.pairs[index / 2], to: base)
      startsAnew[index] = false
    case .kick(let file):
      guard let file else {
        throw PlaneError("SET_VRING_KICK", "without an eventfd: this back end does not poll rings")
      }
      try plane.setKick(ring, of: set.pairs[index / 2], to: files[file].descriptor)
    case .call(let file):
      try plane.setCall(ring, of: set.pairs[index / 2], to: file.map { files[$0].descriptor })
    case .error(let file):
      try plane.setError(ring, of: set.pairs[index / 2], to: file.map { files[$0].descriptor })
    }
  }

  /// RESET_DEVICE, or device status 0: every ring has stopped already. Where, the front end may still ask: QEMU 7.2 does
  /// so of a guest that it stops, after status 0.
  private mutating func reset() throws(PlaneError) {
    for index in running.indices {
      let ring = VhostRing(ofDevice: index)
      try plane.setCall(ring, of: set.pairs[index / 2], to: nil)
      try plane.setError(ring, of: set.pairs[index / 2], to: nil)
    }
    try setFeatures([], isLogging: false)
    startsAnew = Array(repeating: true, count: running.count)
  }

  /// SEND_RARP: a request for the guest's own address from its own address, as if the guest had sent it (RFC 903), so
  /// that the network learns where it is now. Through a queue that is attached; without one the guest is not running.
  private func announce(_ mac: [UInt8]) throws(PlaneError) {
    guard let pair = isAttached.firstIndex(of: true) else { return }
    let size: VnetHeaderSize
    do throws(TapError) {
      size = try set.pairs[pair].tap.vnetHeaderSize()
    } catch {
      throw PlaneError(error)
    }
    var frame = [UInt8](repeating: 0, count: size.rawValue) + [UInt8](repeating: 0xFF, count: 6) + mac
    frame += [0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3] + mac + [0, 0, 0, 0] + mac + [0, 0, 0, 0]
    frame += [UInt8](repeating: 0, count: size.rawValue + 60 - frame.count)
    do throws(Errno) {
      try kernel.write(frame, to: set.pairs[pair].tap.fileDescriptor)
    } catch {
      throw PlaneError("SEND_RARP: write to the tap", error)
    }
  }

  // MARK: Rings

  /// Stops what is not to run, and detaches pairs of which nothing is to run. The plane remembers where a ring stopped.
  private mutating func halt(for session: Session) throws(PlaneError) {
    for ring in running.indices where running[ring] != nil && !session.rings[ring].isRunning {
      try plane.setRunning(VhostRing(ofDevice: ring), of: set.pairs[ring / 2], false)
      running[ring] = nil
    }
    for pair in isAttached.indices where running[2 * pair] == nil && running[2 * pair + 1] == nil {
      if !session.rings[2 * pair].isRunning, !session.rings[2 * pair + 1].isRunning { try setAttached(pair, false) }
    }
  }

  /// Starts what is to run, and tells rings that run already where they are now.
  private mutating func run(for session: Session) throws(PlaneError) {
    try tellRunning(session)
    for ring in running.indices where running[ring] == nil && session.rings[ring].isRunning {
      guard let told = told(ring, session) else { continue }
      if startsAnew[ring] { try setRing(ring, .base(0), UniqueArray()) }
      try tell(ring, told)
      try setAttached(ring / 2, true)
      try plane.setRunning(VhostRing(ofDevice: ring), of: set.pairs[ring / 2], true)
      running[ring] = told
    }
  }

  private mutating func tellRunning(_ session: Session) throws(PlaneError) {
    for ring in running.indices where running[ring] != nil {
      guard let told = told(ring, session), running[ring] != told else { continue }
      try tell(ring, told)
      running[ring] = told
    }
  }

  private func told(_ ring: Int, _ session: Session) -> Told? {
    guard let places = session.places(ofRing: ring) else { return nil }
    return Told(addresses: memory.addresses(of: places), log: session.isLogging ? places.usedLog : nil)
  }

  private func tell(_ ring: Int, _ told: Told) throws(PlaneError) {
    try plane.setAddresses(
      VhostRing(ofDevice: ring), of: set.pairs[ring / 2], to: told.addresses, log: told.log)
  }

  private mutating func setAttached(_ pair: Int, _ wanted: Bool) throws(PlaneError) {
    guard isAttached[pair] != wanted else { return }
    do throws(TapError) {
      try set.pairs[pair].tap.setAttached(wanted)
      isAttached[pair] = wanted
      // The first that is attached, or the last that was.
      if !keepsCarrier, isAttached.count(where: { $0 }) == (wanted ? 1 : 0) {
        try set.pairs[pair].tap.setCarrier(wanted)
      }
    } catch {
      throw PlaneError(error)
    }
  }
}

extension VhostRing {
  /// Which half of its pair the device's ring of that index is.
  fileprivate init(ofDevice index: Int) { self = index % 2 == 0 ? .receive : .transmit }
}
