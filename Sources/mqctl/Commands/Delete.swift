internal import ArgumentParser
internal import Orchestrator
internal import TapMQ

struct Delete: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Remove taps.",
    discussion: """
      Refuses one that mqctl did not make or that a process holds, naming it, unless forced. One that is not there is \
      gone already. All names are looked at before the first is removed, and again right before they are removed, up to \
      256 at once; where one is refused only then, what was deleted by then is said. Needs CAP_NET_ADMIN.
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
    var deleted: [String] = []
    do throws(OrchestratorError) {
      if found.count > 1 {
        // Many go at once, for the kernel takes its time after each removal.
        let words = Dictionary(found.map { ($0.device.link.index, $0.name.description) }) { first, _ in first }
        try provisioner.delete(
          found.map(\.device), force: force,
          report: { device, isRemoved in
            guard let word = words[device.link.index] else { return }
            if isRemoved { deleted.append(word) } else { absent.append(word) }
          })
      } else if let name = found.first?.name {
        if try provisioner.delete(name, force: force) {
          deleted.append(name.description)
        } else {
          absent.append(name.description)
        }
      }
    } catch {
      // What is gone is gone, and whoever asked is to know of it.
      let failure = Failure(error)
      guard !deleted.isEmpty else { throw failure }
      report(deleted: deleted, absent: absent)
      throw Failure(
        failure.code, "\(failure.message); deleted by then: \(deleted.count) of \(found.count)", mend: failure.mend)
    }
    report(deleted: deleted, absent: absent)
  }

  private func report(deleted: [String], absent: [String]) {
    struct Report: Encodable {
      let deleted: [String]
      let absent: [String]
    }
    Output(json: output.json).report(Report(deleted: deleted, absent: absent)) {
      (deleted.map { "\($0): deleted" } + absent.map { "\($0): there was none" }).joined(separator: "\n")
    }
  }
}
