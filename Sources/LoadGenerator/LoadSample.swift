internal import LinuxIO

/// What generators and threads had done at one time.
internal struct LoadSample {
  /// What was counted from the start on.
  struct Totals {
    let sent: [Int]
    let received: [Int]
    let transmitted: Int
    let stray: Int
  }

  private let nanoseconds: UInt64
  private let transmitted: [Int]
  private let received: [Int]
  private let workers: [ThreadUse?]
  private let backEnd: [ThreadUse]
  private let generators: [ThreadUse?]

  init(board: borrowing LoadBoard, backEnd process: Int?, workers: [Int], generators: [Int]) {
    nanoseconds = MonotonicClock.nanoseconds
    transmitted = (0..<board.pairs).map { board.get(.transmitted, of: $0) }
    received = (0..<board.pairs).map { board.get(.received, of: $0) }
    backEnd = process.map { BackEndThreads.all(of: $0) } ?? []
    let threads = backEnd
    self.workers = workers.map { worker in threads.first { $0.thread == worker } }
    self.generators = generators.map { ThreadUse(process: $0, thread: $0) }
  }

  /// What was done since an earlier sample.
  func measurement(
    since first: LoadSample, pairs: Int, size: Int, direction: LoadPlan.Direction, isOurs: Bool, isExclusive: Bool
  ) -> LoadMeasurement {
    let seconds = Double(nanoseconds - first.nanoseconds) / 1e9
    func rate(_ now: [Int], _ then: [Int], _ pair: Int) -> Double { Double(now[pair] - then[pair]) / seconds }
    func load(_ now: ThreadUse?, _ then: ThreadUse?) -> Double? {
      guard let now, let then else { return nil }
      return Double(now.nanoseconds - then.nanoseconds) / 1e9 / seconds
    }
    var total = LoadMeasurement.Flow()
    let flows = (0..<pairs).map { pair in
      var flow = LoadMeasurement.Flow()
      // What a guest that only receives sends is to keep its flow known, and no load.
      if direction != .receive { flow.transmitted = rate(transmitted, first.transmitted, pair) }
      // Without a tap of ours, what comes is what the back end sends back.
      if direction != .transmit || !isOurs { flow.received = rate(received, first.received, pair) }
      if workers.indices.contains(pair), let worker = workers[pair] {
        flow.workerLoad = load(worker, first.workers[pair])
        flow.workerCPUs = [worker.cpu]
      }
      flow.generatorLoad = load(generators[pair], first.generators[pair]) ?? 0
      flow.generatorCPUs = generators[pair].map { [$0.cpu] } ?? []
      total.transmitted += flow.transmitted
      total.received += flow.received
      total.generatorLoad += flow.generatorLoad
      return flow
    }
    let loads = backEnd.compactMap { thread in
      load(thread, first.backEnd.first { $0.thread == thread.thread }).map { (thread.cpu, $0) }
    }
    let now = backEnd + generators.compactMap { $0 }
    let then = first.backEnd + first.generators.compactMap { $0 }
    let pairsOfUse = now.compactMap { use in then.first { $0.thread == use.thread }.map { (use, $0) } }
    let ran = pairsOfUse.map { $0.nanoseconds - $1.nanoseconds }.reduce(0, +)
    let waited = pairsOfUse.map { $0.waited - $1.waited }.reduce(0, +)
    if !backEnd.isEmpty { total.workerLoad = loads.map(\.1).reduce(0, +) }
    // Threads that only slept ran nowhere.
    total.workerCPUs = Set(loads.filter { $0.1 > 0 }.map(\.0)).sorted()
    total.generatorCPUs = Set(flows.flatMap(\.generatorCPUs)).sorted()
    return LoadMeasurement(
      pairs: pairs, size: size, direction: direction, seconds: seconds, flows: flows, total: total,
      latencySize: min(size, LoadFrame.plainLimit), stray: 0, tap: nil, ringsTransmitted: 0, ringsReceived: 0,
      waited: Double(waited) / Double(max(1, ran + waited)), isExclusive: isExclusive)
  }
}
