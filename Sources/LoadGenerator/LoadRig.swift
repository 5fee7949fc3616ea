internal import BasicContainers
internal import DataPlane
internal import LinuxIO
internal import SystemPackage
internal import VhostUser
internal import Virtqueue

/// So many queue pairs under load for frames of one size: a guest's memory, a connection to the back end, a generator a
/// pair, and where the back end is our own, its tap.
///
/// Of this process it wants that it has one thread.
internal struct LoadRig: ~Copyable {
  // In this order they end: generators first, as they hold copies of the connection.
  private var generators: UniqueArray<ForkedProcess>
  private var backEnd: LoadBackEnd
  private let memory: Memory
  private let tap: LoadTap?
  private let workers: [Int]
  private let placement: Placement
  private let pairs: Int
  private let size: Int

  /// Where the guest believes its memory to be, and where a front end says that it has it: no address of anybody's.
  private static let guestBase: UInt64 = 1 << 32
  private static let userBase: UInt64 = 1 << 40
  /// To an address that nobody has; and to one that no bridge forwards, where the frame goes to a network that is not ours.
  private static let nobody: [UInt8] = [0x02, 0, 0, 0x20, 0, 2]
  private static let nowhere: [UInt8] = [0x01, 0x80, 0xC2, 0, 0, 0x0E]

  /// Sets everything up and starts the generators, which wait.
  ///
  /// - Parameter tap: up, with as many pairs; nil where the back end is a stranger.
  static func start(
    pairs: Int, size: Int, backEnd kind: LoadPlan.BackEnd, tap: LoadTap?
  ) throws(LoadError) -> LoadRig {
    let run = UInt32.random(in: 1 ... .max)
    let backEnd = try LoadBackEnd(kind, pairs: pairs, size: size, tap: tap)
    let layout = LoadLayout(size: size, isMergeable: backEnd.features.contains(.mergeableReceiveBuffers))
    let memory = try Memory(pairs: pairs, layout)
    var guests = UniqueArray<LoadPair?>()
    do throws(Errno) {
      for pair in 0..<pairs {
        let frame = LoadFrame(pair: pair, run: run)
        guests.append(
          try unsafe LoadPair(
            frame, size: size, layout: layout, memory: memory.mapping.baseAddress + pair * layout.byteCount,
            guestBase: guestBase + UInt64(pair * layout.byteCount),
            destination: tap == nil ? nowhere : nobody, answerer: tap?.mac ?? nowhere,
            features: backEnd.features))
        try tap?.introduce(frame)
      }
    } catch {
      throw .system("eventfd, SIOCSARP", error)
    }
    do throws(FrontEndConnection.Failure) {
      try setUp(guests, layout, memory, backEnd.connection)
    } catch {
      // GET_QUEUE_NUM counts pairs with some back ends and rings with others, so this is how the latter say it.
      let isMissing = error == .refused("SET_VRING_NUM")
      throw .backEnd(isMissing ? .lacks(["\(pairs) queue pairs of \(LoadLayout.ringSize) entries"]) : error)
    }
    var rig = LoadRig(backEnd, memory, tap, pairs: pairs, size: size)
    for pair in 0..<pairs {
      guard let guest = guests[pair].take() else { continue }
      try rig.start(guest, pair, run)
    }
    return rig
  }

  private init(
    _ backEnd: consuming LoadBackEnd, _ memory: consuming Memory, _ tap: LoadTap?, pairs: Int, size: Int
  ) {
    workers = backEnd.process.map { BackEndThreads.workers(of: $0, pairs: pairs) } ?? []
    placement = BackEndThreads.place(workers, pairs: pairs, of: backEnd.process, isOurs: tap != nil)
    generators = UniqueArray()
    self.backEnd = backEnd
    self.memory = memory
    self.tap = tap
    self.pairs = pairs
    self.size = size
  }

  // MARK: Setting up

  /// What generators, this process and the back end share.
  private struct Memory: ~Copyable {
    let board: LoadBoard
    let file: OwnedDescriptor
    let mapping: SharedMapping

    init(pairs: Int, _ layout: LoadLayout) throws(LoadError) {
      let byteCount = pairs * layout.byteCount
      do throws(Errno) {
        let board = try LoadBoard(pairs: pairs)
        let file = try MemoryFile.create("mqctl-bench", byteCount: byteCount)
        mapping = try LinuxKernel().mmap(file.descriptor, offset: 0, byteCount: byteCount)
        self.board = board
        self.file = file
      } catch {
        throw .system("memory for \(pairs) guest(s)", error)
      }
    }
  }

  /// The memory table, every ring, and then all of them enabled.
  private static func setUp(
    _ guests: borrowing UniqueArray<LoadPair?>, _ layout: LoadLayout, _ memory: borrowing Memory,
    _ connection: borrowing FrontEndConnection
  ) throws(FrontEndConnection.Failure) {
    let region = MemoryRegion(
      guestAddress: guestBase, byteCount: UInt64(memory.mapping.byteCount), userAddress: userBase, fileOffset: 0)
    try connection.demand(.setMemTable([region]), with: [memory.file.descriptor])
    for pair in 0..<guests.count {
      switch guests[pair] {
      case .some(let guest): try setUp(guest, pair, layout, connection)
      case .none: break
      }
    }
    for ring in 0..<2 * guests.count { try connection.demand(.setVringEnable(ring: UInt32(ring), isEnabled: true)) }
    // Whatever has no answer of its own has been done once this has one.
    _ = try connection.number(.getFeatures)
  }

  private static func setUp(
    _ guest: borrowing LoadPair, _ pair: Int, _ layout: LoadLayout, _ connection: borrowing FrontEndConnection
  ) throws(FrontEndConnection.Failure) {
    let start = userBase + UInt64(pair * layout.byteCount)
    func addresses(_ ring: SplitRingLayout) -> RingAddresses {
      RingAddresses(
        descriptors: start + UInt64(ring.descriptors), used: start + UInt64(ring.used),
        available: start + UInt64(ring.available))
    }
    try connection.setUp(
      2 * pair,
      .init(
        size: LoadLayout.ringSize, addresses: addresses(layout.receive), kick: guest.receiveKick.descriptor,
        call: guest.receiveCall.descriptor))
    try connection.setUp(
      2 * pair + 1,
      .init(
        size: LoadLayout.ringSize, addresses: addresses(layout.transmit), kick: guest.transmitKick.descriptor,
        call: guest.transmitCall.descriptor))
  }

  /// Forks a pair's generator.
  private mutating func start(_ guest: consuming LoadPair, _ pair: Int, _ run: UInt32) throws(LoadError) {
    var load: LoadPair? = consume guest
    let cpu = placement.generators[pair]
    do throws(Errno) {
      let sender = try tap?.sender(LoadFrame(pair: pair, run: run), size: size)
      generators.append(try ForkedProcess { Self.generate(load.take(), pair, cpu, memory.board, sender) })
    } catch {
      throw .system("starting a load generator", error)
    }
  }

  /// What a generator does, and its exit code.
  private static func generate(
    _ guest: consuming LoadPair?, _ pair: Int, _ cpu: Int, _ board: borrowing LoadBoard,
    _ sender: borrowing PacketSender?
  ) -> Int32 {
    guard var load = guest else { return 1 }
    do throws(LoadPair.Failure) {
      try? Processors.pin(to: cpu)
      try load.serve(board, sender)
      return 0
    } catch {
      board.fail(pair, error.text)
      return 1
    }
  }

  // MARK: Measuring

  /// One direction, and then the round trips.
  mutating func measure(
    _ direction: LoadPlan.Direction, seconds: Double
  ) throws(LoadError) -> LoadMeasurement {
    let command: LoadBoard.Command =
      switch direction {
      case .transmit: .transmit
      case .receive: .receive
      case .both: .both
      }
    let tapBefore = tap?.counters()
    let start = total()
    try begin(command)
    try wait(min(0.3, seconds / 4))
    let first = sample()
    try wait(seconds)
    let second = sample()
    try rest()
    let end = total()
    var measurement = second.measurement(
      since: first, pairs: pairs, size: size, direction: direction, isOurs: tap != nil,
      isExclusive: placement.isExclusive)
    for pair in 0..<pairs {
      let lost = (end.sent[pair] - start.sent[pair]) - (end.received[pair] - start.received[pair])
      measurement.flows[pair].lost = tap == nil ? 0 : max(0, lost)
    }
    measurement.total.lost = measurement.flows.map(\.lost).reduce(0, +)
    measurement.stray = end.stray - start.stray
    measurement.ringsTransmitted = end.transmitted - start.transmitted
    measurement.ringsReceived = end.received.reduce(0, +) - start.received.reduce(0, +)
    if let tapBefore, let after = tap?.counters() {
      let counted = after.since(tapBefore)
      measurement.tap = counted
      measurement.total.lost += max(0, measurement.ringsTransmitted - counted.fromGuests)
    }
    return measurement
  }

  /// One frame at a time on its way and back, on every pair at the same time.
  mutating func latency(seconds: Double) throws(LoadError) -> (pairs: [Percentiles?], all: Percentiles?) {
    let before = (0..<pairs).map { memory.board.get(.echoes, of: $0) }
    try begin(.echo)
    try wait(seconds)
    try rest()
    var all: [UInt32] = []
    var each: [Percentiles?] = []
    for pair in 0..<pairs {
      let limit = LoadBoard.sampleLimit
      let range = min(limit, before[pair])..<min(limit, memory.board.get(.echoes, of: pair))
      let samples = unsafe Array(memory.board.samples(of: pair)[range])
      each.append(Percentiles(nanoseconds: samples))
      all += samples
    }
    return (each, Percentiles(nanoseconds: all))
  }

  /// Lets every generator end, then disconnects, and waits for the back end that was started for this.
  mutating func end() {
    memory.board.command = .end
    for index in 0..<generators.count { _ = generators[index].wait() }
  }

  private func total() -> LoadSample.Totals {
    func all(_ counter: LoadBoard.Counter) -> [Int] { (0..<pairs).map { memory.board.get(counter, of: $0) } }
    return .init(
      sent: all(.sent), received: all(.received), transmitted: all(.transmitted).reduce(0, +),
      stray: all(.stray).reduce(0, +))
  }

  private func sample() -> LoadSample {
    LoadSample(
      board: memory.board, backEnd: backEnd.process, workers: workers,
      generators: (0..<pairs).map { generators[$0].processID })
  }

  private mutating func begin(_ command: LoadBoard.Command) throws(LoadError) {
    memory.board.command = command
    try awaitState(command, "have begun", seconds: 20)
  }

  private mutating func rest() throws(LoadError) {
    memory.board.command = .idle
    try awaitState(.idle, "have come to rest", seconds: 20)
  }

  private mutating func awaitState(
    _ command: LoadBoard.Command, _ what: String, seconds: Double
  ) throws(LoadError) {
    let end = ContinuousClock.now + .seconds(seconds)
    while !(0..<pairs).allSatisfy({ memory.board.get(.state, of: $0) == Int(command.rawValue) }) {
      guard ContinuousClock.now < end else { throw .ended("not all load generators \(what) within \(Int(seconds)) s") }
      try wait(0.002)
    }
  }

  /// Sleeps; throws when a part has ended meanwhile.
  private mutating func wait(_ seconds: Double) throws(LoadError) {
    let end = ContinuousClock.now + .seconds(seconds)
    var watched = (0..<generators.count).map { generators[$0].descriptor }
    watched.append(backEnd.connection.descriptor)
    while true {
      let left = end - .now
      guard left > .zero else { return }
      let milliseconds = max(1, Int(left / .milliseconds(1)))
      let ready = (try? LinuxKernel().poll(watched, milliseconds: milliseconds)) ?? []
      for index in 0..<generators.count where ready.count > index && ready[index] {
        let ending = generators[index].wait()
        throw .ended("pair \(index)'s load generator has ended: " + (memory.board.failure(of: index) ?? "\(ending)"))
      }
      guard ready.last != true else {
        // A back end has nothing to say of itself: it has closed.
        throw backEnd.failure(.backEnd(.closed))
      }
    }
  }
}
