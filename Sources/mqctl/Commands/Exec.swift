internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

struct Exec: ParsableCommand, ReportingCommand {
  /// `--worker`.
  enum WorkerChoice: String, CaseIterable {
    case task
    case kthread
    case `default`

    var kind: WorkerKind? {
      switch self {
      case .task: .task
      case .kthread: .kthread
      case .default: nil
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "exec",
    abstract: "Run a hypervisor that inherits a tap's queues and as many vhost-net devices.",
    discussion: """
      Opens them, drops every capability for good, and replaces itself with COMMAND, which inherits 0, 1, 2 and exactly \
      those descriptors: the tap queues from 3 on, then the vhost devices. In COMMAND's words {netdev} and {device} \
      become QEMU's, {tap-fds} and {vhost-fds} the numbers joined by ':', {mac} the guest's address. Other launchers \
      find them by LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES (tap-0, ..., vhost-0, ...), or MQCTL_TAP_FDS, \
      MQCTL_VHOST_FDS, MQCTL_PAIRS, MQCTL_INTERFACE and MQCTL_MAC.

        mqctl exec tap0 --user vm -- qemu-system-x86_64 -m 1G ... \\
          -netdev {netdev} -device {device}

      COMMAND runs in the caller's network namespace, whichever the tap is in. Needs CAP_NET_ADMIN or to be the tap's \
      owner, and read and write permission on /dev/vhost-net.
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @Option(help: .init("How many pairs. Default: as many as the tap was made with.", valueName: "n"))
  var pairs: Int?

  @Option(help: "auto (where there is vhost-net), require, or off.", transform: oneOf)
  var vhost = VhostPolicy.auto

  @Flag(help: "Prove each pair first, as 'mqctl verify' does; the vhost devices leave reset.")
  var verify = false

  @Option(
    help: "What vhost's workers are to be: a task of COMMAND's, a kthread, or the kernel's default.", transform: oneOf)
  var worker = WorkerChoice.default

  @Option(
    help: .init(
      "Run COMMAND as this user, with its groups; a number is not looked up and has the group of the same number.",
      valueName: "user"))
  var user: String?

  @Flag(help: "Do not give capabilities up. A change of user still clears them, as setuid(2) does.")
  var keepCaps = false

  @Flag(help: "Make a tap for COMMAND, which ends with it; takes --pairs and what 'create' takes.")
  var ephemeral = false

  @OptionGroup(title: "Options of an ephemeral tap") var device: DeviceOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  @Argument(parsing: .postTerminator, help: .init("The program and its words, behind '--'.", valueName: "command"))
  var command: [String] = []

  func validate() throws {
    guard !command.isEmpty else { throw ValidationError("say what to run, behind '--'") }
    guard ephemeral || device.isDefault else {
      throw ValidationError("--owner, --mac, --mtu and their like are for --ephemeral: \(name) is as it was created")
    }
    guard !ephemeral || pairs != nil else { throw ValidationError("--ephemeral needs --pairs") }
    guard vhost != .off || worker == .default else { throw ValidationError("--worker needs vhost-net") }
    try checkPairs(pairs)
  }

  func run() throws {
    let runAs = try user.map { try findUser($0) }
    let home = try currentNamespace()
    try namespace.enter()
    let provisioner = try openProvisioner()
    let set = try open(through: provisioner)
    noteAbsence(set)
    if verify {
      let report = try mqctl.verify(set, frames: 32, through: provisioner)
      if let failure = report.failure {
        Output.note(output.json ? Output.encode(report) : report.text)
        throw failure
      }
      // VHOST_RESET_OWNER has made the devices forget it.
      if let kind = worker.kind { try Failure.explain(set.choose(kind, kernel: LinuxKernel())) }
    }
    let handOff = HandOff(
      interface: name.description, pairs: set.count, hasVhost: set.hasVhost, guestMAC: set.device.link.mac?.guestSide)
    if let home { try returnTo(home) }
    if output.json { Output.note(Output.encode(Report(handOff, command.map(handOff.fill)))) }
    try leave(set, handOff, as: runAs)
  }

  private func open(
    through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws -> PairSet<LinuxKernel> {
    guard ephemeral, let pairs else {
      return try Failure.explain(
        PairSet.open(name, count: pairs, vhost: vhost, worker: worker.kind, through: provisioner))
    }
    let spec = try device.words.spec(name, pairs: pairs)
    let queue = try Failure.explain(provisioner.createEphemeral(spec))
    return try PairSet.openEphemeral(queue, vhost: vhost, worker: worker.kind, through: provisioner)
  }

  /// From here on nothing is undone: a failure ends the process, and with it all descriptors.
  private func leave(
    _ set: borrowing PairSet<LinuxKernel>, _ handOff: HandOff, as user: UserDatabase.User?
  ) throws(Failure) {
    let words = command.map(handOff.fill)
    do throws(Errno) {
      try ProcessControl.arrangeInherited(set.tapDescriptors + set.vhostDescriptors)
      for (name, value) in handOff.environment { try ProcessControl.setEnvironment(name, to: value) }
      try ProcessControl.setEnvironment("LISTEN_PID", to: String(ProcessControl.processID))
    } catch {
      throw Failure(.other, "handing \(handOff.pairs) pair(s) over: \(error)", mend: "see 'ulimit -n'")
    }
    do throws(Privileges.Failure) {
      if keepCaps {
        if let user { try Privileges.become(user) }
      } else {
        try Privileges.drop(becoming: user)
      }
    } catch {
      throw Failure(.notPermitted, "\(error.call): \(error.errno)", mend: "changing the user needs root")
    }
    do throws(Errno) {
      try ProcessControl.execute(words)
    } catch {
      throw Failure(
        error == .permissionDenied ? .notPermitted : .other, "cannot run \(words[0]): \(error)",
        mend: "look at the path and its permissions")
    }
  }

  private func currentNamespace() throws(Failure) -> OwnedDescriptor? {
    guard namespace.namespace != nil else { return nil }
    do {
      return OwnedDescriptor(
        adopting: try unsafe FileDescriptor.open("/proc/self/ns/net", .readOnly, options: .closeOnExec))
    } catch {
      throw Failure(.other, "opening /proc/self/ns/net: \(error)")
    }
  }

  private func returnTo(_ home: borrowing OwnedDescriptor) throws(Failure) {
    do throws(Errno) {
      try NetworkNamespace.enter(home.descriptor)
    } catch {
      throw Failure(.other, "going back to the own network namespace: \(error)")
    }
  }

  private struct Report: Encodable {
    let interface: String
    let pairs: Int
    let tapDescriptors: [Int]
    let vhostDescriptors: [Int]
    let mac: String?
    let command: [String]

    init(_ handOff: HandOff, _ command: [String]) {
      interface = handOff.interface
      pairs = handOff.pairs
      tapDescriptors = handOff.tapNumbers
      vhostDescriptors = handOff.vhostNumbers
      mac = handOff.guestMAC?.description
      self.command = command
    }
  }
}

extension PairSet where Kernel == LinuxKernel {
  /// The pairs of a tap that was made for them.
  static func openEphemeral(
    _ queue: consuming TapQueue<LinuxKernel>, vhost: VhostPolicy, worker: WorkerKind?,
    through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws(Failure) -> PairSet {
    let name = queue.interface
    do throws(OrchestratorError) {
      return try open(name, vhost: vhost, worker: worker, first: queue, through: provisioner)
    } catch {
      throw Failure(error)
    }
  }
}
