internal import ArgumentParser
internal import Orchestrator
internal import TapMQ

struct Delete: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Remove taps.",
    discussion: """
      Refuses one that mqctl did not make or that a process holds, naming it, unless forced. One that is not there is \
      gone already. All names are looked at before the first is removed. Needs CAP_NET_ADMIN.
      """)

  @Argument(help: "The taps' names.", transform: { try InterfaceName($0) })
  var names: [InterfaceName]

  @Flag(help: "Remove it even if mqctl did not make it or a process holds it; that process keeps dead descriptors.")
  var force = false

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    // One that is to be refused stops the lot before anything is removed.
    var found: [(name: InterfaceName, device: Device)] = []
    var absent: [String] = []
    for name in names {
      let device = try Failure.explain(provisioner.checkDeletable(name, force: force))
      if let device, !found.contains(where: { $0.device.link.index == device.link.index }) {
        found.append((name, device))
      } else {
        absent.append(name.description)
      }
    }
    // Many go at once, for the kernel takes its time after each removal.
    if found.count > 1 {
      try Failure.explain(provisioner.delete(found.map(\.device)))
    } else if let name = found.first?.name, try !Failure.explain(provisioner.delete(name, force: force)) {
      found = []
      absent.append(name.description)
    }
    let deleted = found.map(\.name.description)
    struct Report: Encodable {
      let deleted: [String]
      let absent: [String]
    }
    Output(json: output.json).report(Report(deleted: deleted, absent: absent)) {
      (deleted.map { "\($0): deleted" } + absent.map { "\($0): there was none" }).joined(separator: "\n")
    }
  }
}
