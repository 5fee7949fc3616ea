internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import TapMQ

struct Show: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show one tap: what it is, who holds its queues or serves them to others, which vhost workers there are.",
    discussion: """
      From rtnetlink and /proc. Processes of other users are seen with CAP_SYS_PTRACE only. A worker belongs to a \
      process, not to a tap: one that holds two taps shows its workers at both.
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    guard let device = try Failure.explain(provisioner.device(named: name)) else {
      throw Failure(.absent(kind: "tap", name: name.description))
    }
    let report = DeviceReport(device, HolderTable())
    Output(json: output.json).report(report) { Self.text(report) }
  }

  private static func text(_ report: DeviceReport) -> String {
    func or(_ value: (some CustomStringConvertible)?) -> String { value?.description ?? "none" }
    var lines: [(String, String)] = [
      ("name", "\(report.name) (ifindex \(report.index))"),
      ("pairs", report.pairs.map { "\($0) wanted" } ?? "not made by mqctl"),
      ("queues", "\(report.attachedQueues) attached, \(report.detachedQueues) detached"),
      ("flags", report.flags.joined(separator: " ")),
      ("owner", report.owner.map { "\(UserDatabase.name(ofUser: $0)) (\($0))" } ?? "none"),
      ("group", or(report.group)),
      ("mac", "\(report.mac ?? "none"), guest's \(report.guestMAC ?? "none")"),
      ("mtu", "\(report.mtu)"),
      ("bridge", or(report.bridge)),
      ("addresses", report.addresses.isEmpty ? "none" : report.addresses.joined(separator: " ")),
      ("state", (report.up ? "up" : "down") + (report.carrier ? ", carrier" : ", no carrier")),
      ("qdisc", or(report.qdisc)),
    ]
    for holder in report.holders {
      lines.append(
        (
          "held by",
          "\(holder.command) (pid \(holder.pid)): \(holder.attachedQueues) queue(s), "
            + (holder.detachedQueues > 0 ? "\(holder.detachedQueues) detached, " : "")
            + "\(holder.vhostDescriptors) vhost"
        ))
      if let served = holder.served {
        lines.append(
          (
            "served at",
            "\(served.socket): \(served.pairs) pair(s), "
              + (served.connected ? "a front end is connected" : "no front end is connected")
          ))
      }
      for worker in holder.workers { lines.append(("worker", "thread \(worker.thread), \(worker.kind)")) }
    }
    if report.holders.isEmpty {
      lines.append(("held by", report.holderText == "?" ? "a process that /proc does not show" : "nobody"))
    }
    let width = lines.map(\.0.count).max() ?? 0
    return lines.map { $0 + String(repeating: " ", count: width - $0.count + 2) + $1 }.joined(separator: "\n")
  }
}
