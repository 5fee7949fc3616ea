internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import TapMQ

struct Verify: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Prove that every queue pair carries frames both ways, through its own vhost worker.",
    discussion: """
      A software guest sets each pair up as a hypervisor does, sends frames out of its TX ring, sees them on the tap, \
      answers each, and takes the answer from the same pair's RX ring. Without /dev/vhost-net it uses each tap queue's \
      own descriptor, and says so. Give the name of a tap that nobody uses, or --ephemeral for one of its own. Needs \
      CAP_NET_RAW, and the right to open the tap's queues.
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName?

  @Flag(help: "Make a tap for this run, which ends with it.")
  var ephemeral = false

  @Option(help: .init("How many pairs. Default: as many as the tap was made with; 8 with --ephemeral.", valueName: "n"))
  var pairs: Int?

  @Option(help: .init("How many frames each way a pair.", valueName: "n"))
  var frames = 32

  @Option(help: "auto, require or off: whether to go through vhost-net.", transform: oneOf)
  var vhost = VhostPolicy.auto

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (name != nil) != ephemeral else { throw ValidationError("give a tap's name or --ephemeral") }
    guard (1...1_000_000).contains(frames) else { throw ValidationError("--frames \(frames): give 1 to 1000000") }
    try checkPairs(pairs)
  }

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    let set = try open(through: provisioner)
    noteAbsence(set)
    let report = try mqctl.verify(set, frames: frames, through: provisioner)
    Output(json: output.json).report(report) { report.text }
    if let failure = report.failure { throw failure }
  }

  private func open(
    through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws -> PairSet<LinuxKernel> {
    guard ephemeral else {
      guard let name else { throw Failure.usage("give a tap's name or --ephemeral") }
      return try Failure.explain(PairSet.open(name, count: pairs, vhost: vhost, through: provisioner))
    }
    let name = try InterfaceName("mqv-\(ProcessControl.processID)")
    let spec = try DeviceSpec(name: name, pairs: pairs ?? 8, owner: 0)
    let queue = try Failure.explain(provisioner.createEphemeral(spec))
    return try PairSet.openEphemeral(queue, vhost: vhost, worker: nil, through: provisioner)
  }
}

/// `--pairs` within what a tap takes.
func checkPairs(_ pairs: Int?) throws {
  if let pairs, !DeviceSpec.pairRange.contains(pairs) {
    throw ValidationError("--pairs \(pairs): a tap takes 1 to 256")
  }
}
