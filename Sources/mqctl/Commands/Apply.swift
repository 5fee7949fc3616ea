internal import ArgumentParser
internal import Glibc
internal import LinuxIO
internal import Orchestrator
internal import Provisioning
internal import SystemPackage

struct Apply: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Make the taps be as files say.",
    discussion: """
      Does what 'mqctl plan' shows, and nothing else: the same files again change nothing. What can be changed in place is \
      (MTU, MAC, bridge, addresses, up or down, pairs; owner and group while nobody holds it); else the tap is replaced, \
      if nobody holds it. All that can be refused is refused before anything is changed; each tap is changed wholly \
      or not at all; after a failure, or a 'kill -9', the same words do the rest. One at a time: a second waits.

        mqctl apply /etc/mqctl/devices.yaml --prune

      --json prints a line for each tap, then one with the sums. Needs CAP_NET_ADMIN, and /run/mqctl for its lock.
      """)

  @OptionGroup var manifest: ManifestOptions

  @Flag(help: "Take over taps that mqctl did not make, and with --prune remove such as a process holds.")
  var force = false

  @Flag(help: "Where another 'mqctl apply' is at work, name it and end.")
  var noWait = false

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let files = try manifest.read()
    try namespace.enter()
    let scopes = try Scope.all(of: files)
    let lock = try ApplyLock.take(scopes.map(\.identity), wait: !noWait)
    for scope in scopes { try scope.plan(prune: manifest.prune) }
    for scope in scopes { try scope.check(force: force) }
    var progress = ApplyProgress(output, of: scopes.reduce(0) { $0 + $1.steps.count })
    do {
      for scope in scopes {
        try scope.carryOut(force: force) { step, outcome in progress.report(step, outcome, in: scope.namespace) }
      }
    } catch {
      progress.clear()
      throw error
    }
    progress.finish(unchanged: scopes.reduce(0) { $0 + $1.unchanged })
    withExtendedLifetime(lock) {}
  }
}
