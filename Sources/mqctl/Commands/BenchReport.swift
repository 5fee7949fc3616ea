internal import LinuxIO
internal import LoadGenerator
internal import SystemPackage

/// What `mqctl bench` has measured, as it prints it.
struct BenchReport: Encodable {
  struct Latency: Encodable {
    let count: Int
    let p50Microseconds: Double
    let p99Microseconds: Double
    let p999Microseconds: Double
  }

  /// Of one pair, or of all.
  struct Flow: Encodable {
    let pair: Int?
    let packetsPerSecond: Double
    let transmittedPerSecond: Double
    let receivedPerSecond: Double
    let gigabitsPerSecond: Double
    let workerSecondsPerMillion: Double?
    let generatorSecondsPerMillion: Double?
    let workerLoad: Double?
    let generatorLoad: Double
    let workerCPUs: [Int]
    let generatorCPUs: [Int]
    let lost: Int
    let latency: Latency?
  }

  struct Tap: Encodable {
    let fromGuests: Int
    let fromGuestsDropped: Int
    let toGuests: Int
    let toGuestsDropped: Int
  }

  struct Measurement: Encodable {
    let pairs: Int
    let size: Int
    let direction: String
    let seconds: Double
    let scale: Double?
    let latencySize: Int
    let stray: Int
    let ringsTransmitted: Int
    let ringsReceived: Int
    let exclusive: Bool
    let waited: Double
    let tap: Tap?
    let total: Flow
    let flows: [Flow]
  }

  struct Omission: Encodable {
    let pairs: Int
    let size: Int
    let reason: String
  }

  let through: String
  let machine: String
  let measurements: [Measurement]
  let omissions: [Omission]

  init(_ plan: LoadPlan, _ outcome: LoadRun.Outcome) {
    through = plan.backEnd.name
    machine = Self.machine
    measurements = outcome.measurements.map { measurement in
      let base = outcome.measurements.first {
        $0.size == measurement.size && $0.direction == measurement.direction
      }
      return Measurement(
        pairs: measurement.pairs, size: measurement.size, direction: measurement.direction.rawValue,
        seconds: measurement.seconds, scale: base.flatMap { measurement.scale(from: $0) },
        latencySize: measurement.latencySize, stray: measurement.stray, ringsTransmitted: measurement.ringsTransmitted,
        ringsReceived: measurement.ringsReceived, exclusive: measurement.isExclusive, waited: measurement.waited,
        tap: measurement.tap.map {
          Tap(
            fromGuests: $0.fromGuests, fromGuestsDropped: $0.fromGuestsDropped, toGuests: $0.toGuests,
            toGuestsDropped: $0.toGuestsDropped)
        }, total: Flow(measurement.total, nil, measurement.size),
        flows: measurement.flows.enumerated().map { Flow($0.element, $0.offset, measurement.size) })
    }
    omissions = outcome.omissions.map { Omission(pairs: $0.pairs, size: $0.size, reason: $0.reason) }
  }

  /// The kernel and how many CPUs this process may use.
  static var machine: String {
    let release = (try? FileTree.text(of: "/proc/sys/kernel/osrelease")) ?? "unknown"
    let cpus = (try? Processors.allowed().count) ?? 0
    return "Linux \(release), \(cpus) CPU(s)"
  }

  /// A table, then what is to be known of it.
  var text: String {
    var rows: [[String]] = []
    for measurement in measurements {
      rows.append(row(measurement, measurement.total))
      if measurement.pairs > 1 { rows += measurement.flows.map { row(measurement, $0) } }
    }
    let header = [
      "PAIRS", "BYTES", "DIR", "PAIR", "TX/S", "RX/S", "GBIT/S", "SCALE", "CPU-S/M", "GEN-S/M", "P50", "P99", "P99.9",
      "LOST", "WORKER", "GENERATOR",
    ]
    var lines = ["through \(through), \(machine)"]
    if !rows.isEmpty { lines.append(Output.table(header, rows)) }
    lines += omissions.map { "not measured: \($0.pairs) pair(s) of \($0.size) B: \($0.reason)" }
    if measurements.contains(where: { !$0.exclusive }) {
      lines.append("where CPUs are too few, workers share some of them and load generators the others")
    }
    // Where CPUs are shared, they wait for each other too.
    if let most = measurements.filter(\.exclusive).map(\.waited).max(), most > 0.1 {
      lines.append(
        "other programs used the same CPUs: workers and generators waited up to \(Int(most * 100)) % of the time")
    }
    if measurements.contains(where: { $0.stray > 0 }) {
      lines.append("frames that came out of another pair's ring: \(measurements.map(\.stray).reduce(0, +))")
    }
    return lines.joined(separator: "\n")
  }

  private func row(_ measurement: Measurement, _ flow: Flow) -> [String] {
    func rate(_ value: Double) -> String { value > 0 ? "\(Int(value.rounded()))" : "-" }
    func fixed(_ value: Double?, _ digits: Int) -> String { value.map { Self.fixed($0, digits) } ?? "-" }
    func place(_ cpus: [Int], _ load: Double?) -> String {
      let list = cpus.map(String.init).joined(separator: ",")
      return (cpus.isEmpty ? "-" : "cpu \(list)") + (load.map { " \(Int(($0 * 100).rounded()))%" } ?? "")
    }
    let isTotal = flow.pair == nil
    return [
      isTotal ? "\(measurement.pairs)" : "", isTotal ? "\(measurement.size)" : "", isTotal ? measurement.direction : "",
      flow.pair.map(String.init) ?? (measurement.pairs > 1 ? "all" : "0"), rate(flow.transmittedPerSecond),
      rate(flow.receivedPerSecond), fixed(flow.gigabitsPerSecond, 3), isTotal ? fixed(measurement.scale, 2) : "",
      fixed(flow.workerSecondsPerMillion, 3), fixed(flow.generatorSecondsPerMillion, 3),
      fixed(flow.latency?.p50Microseconds, 0), fixed(flow.latency?.p99Microseconds, 0),
      fixed(flow.latency?.p999Microseconds, 0), "\(flow.lost)", place(flow.workerCPUs, flow.workerLoad),
      place(flow.generatorCPUs, flow.generatorLoad),
    ]
  }

  /// A number with so many decimals.
  private static func fixed(_ value: Double, _ digits: Int) -> String {
    var power = 1
    for _ in 0..<digits { power *= 10 }
    let scaled = Int((value * Double(power)).rounded())
    guard digits > 0 else { return "\(scaled)" }
    let part = String(scaled % power)
    return "\(scaled / power)." + String(repeating: "0", count: digits - part.count) + part
  }
}

extension BenchReport.Flow {
  init(_ flow: LoadMeasurement.Flow, _ pair: Int?, _ size: Int) {
    self.init(
      pair: pair, packetsPerSecond: flow.rate, transmittedPerSecond: flow.transmitted,
      receivedPerSecond: flow.received, gigabitsPerSecond: flow.gigabits(size: size),
      workerSecondsPerMillion: flow.workerSeconds, generatorSecondsPerMillion: flow.generatorSeconds,
      workerLoad: flow.workerLoad, generatorLoad: flow.generatorLoad, workerCPUs: flow.workerCPUs,
      generatorCPUs: flow.generatorCPUs, lost: flow.lost,
      latency: flow.latency.map {
        .init(count: $0.count, p50Microseconds: $0.p50, p99Microseconds: $0.p99, p999Microseconds: $0.p999)
      })
  }
}
