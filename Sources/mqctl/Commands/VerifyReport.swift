internal import DataPlane
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// What a verification found, as `verify` and `exec --verify` print it.
struct VerifyReport: Encodable {
  struct Pair: Encodable {
    let pair: Int
    let worker: Int?
    let workerKind: String?
    let sent: Int
    let seen: Int
    let answered: Int
    let received: Int
    let lost: Int
    let medianMicroseconds: Double?
    let failedStep: String?
    let cause: String?
    let passed: Bool
  }

  let name: String
  /// `vhost-net` or `tap queues alone`.
  let through: String
  let passed: Bool
  let pairs: [Pair]

  init(_ name: String, hasVhost: Bool, _ reports: [Verification.PairReport]) {
    self.name = name
    through = hasVhost ? "vhost-net" : "tap queues alone"
    passed = reports.allSatisfy(\.passed)
    pairs = reports.map { report in
      Pair(
        pair: report.pair, worker: report.worker?.thread, workerKind: report.worker?.kind.rawValue, sent: report.sent,
        seen: report.seen, answered: report.answered, received: report.received, lost: report.lost,
        medianMicroseconds: report.medianMicroseconds, failedStep: report.failure?.name, cause: report.failure?.cause,
        passed: report.passed)
    }
  }

  /// A table, and a line that sums it up.
  var text: String {
    let rows = pairs.map { pair in
      [
        "\(pair.pair)", pair.worker.map(String.init) ?? "-", pair.workerKind ?? "-", "\(pair.seen)/\(pair.sent)",
        "\(pair.received)/\(pair.answered)", "\(pair.lost)",
        pair.medianMicroseconds.map { "\(Int($0.rounded()))" } ?? "-",
        pair.passed ? "ok" : "FAILED at \(pair.failedStep ?? "frames"): \(pair.cause ?? "lost")",
      ]
    }
    let good = pairs.filter(\.passed).count
    return Output.table(["PAIR", "WORKER", "KIND", "OUT", "IN", "LOST", "MICROS", "RESULT"], rows)
      + "\n\(name): \(good) of \(pairs.count) pair(s) carry frames both ways, through \(through)"
  }

  /// The failure that a failed verification ends in.
  var failure: Failure? {
    guard let first = pairs.first(where: { !$0.passed }) else { return nil }
    return Failure(
      .other, "\(name): pair \(first.pair) failed at \(first.failedStep ?? "frames"): \(first.cause ?? "lost")",
      mend: "see 'mqctl doctor'")
  }
}

/// Verifies, after what would make every pair fail in the same way.
func verify(
  _ set: borrowing PairSet<LinuxKernel>, frames: Int,
  through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
) throws(Failure) -> VerifyReport {
  let name = set.device.link.name
  guard set.device.link.isUp else {
    throw Failure(.conflict, "\(name) is down, and carries no frames", mend: "'ip link set \(name) up'")
  }
  let reports = try Failure.explain(
    Verification.run(set, frames: frames, kernel: LinuxKernel(), links: provisioner.links))
  return VerifyReport(name, hasVhost: set.hasVhost, reports)
}

/// The line for an `auto` that did without vhost-net.
func noteAbsence(_ set: borrowing PairSet<LinuxKernel>) {
  if let absence = set.vhostAbsence {
    Output.note("mqctl: no vhost-net (\(absence)): using the tap queues alone")
  }
}
