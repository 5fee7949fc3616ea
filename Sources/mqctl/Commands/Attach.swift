internal import ArgumentParser
internal import Hypervisor
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ

struct Attach: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Plug a tap's queue pairs into a running QEMU or Cloud Hypervisor.",
    discussion: """
      Opens the tap's queues and, for QEMU, as many vhost-net devices, hands them over by SCM_RIGHTS, and plugs a network \
      device in. A step that fails undoes those before it, and says which it was in the hypervisor's own words. What is \
      attached already is left alone; what a killed 'mqctl attach' has left behind is found and mended.

        mqctl attach tap0 --qmp /run/vm/qmp.sock
        mqctl attach tap0 --qmp /run/vm/qmp.sock --vhost-user /run/vm/tap0.sock
        mqctl attach tap0 --cloud-hypervisor /run/vm/ch.sock

      With --vhost-user the hypervisor reaches the tap through 'mqctl serve', and needs no more than the permission to \
      write to that socket; its guest's memory must be shared. Cloud Hypervisor has no vhost-net of its own. Needs \
      CAP_NET_ADMIN or to be the tap's owner, and the right to connect to the hypervisor's socket.
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @OptionGroup var hypervisor: HypervisorOptions

  @Option(help: .init("Reach the tap through this socket of 'mqctl serve' or another back end.", valueName: "socket"))
  var vhostUser: String?

  @Option(
    help: .init(
      "QEMU's device and its properties, such as virtio-net-pci,bus=rp1,rx_queue_size=1024; they win over mqctl's own.",
      valueName: "words"), transform: { try QemuDevice($0) })
  var device: QemuDevice?

  @Option(help: .init("How many pairs. Default: as many as the tap was made with.", valueName: "n"))
  var pairs: Int?

  @Option(help: "auto (where there is vhost-net), require, or off.", transform: oneOf)
  var vhost = VhostPolicy.auto

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    try checkPairs(pairs)
    if hypervisor.cloudHypervisor != nil {
      guard device == nil else { throw ValidationError("--device is QEMU's") }
      guard vhost != .require else {
        throw ValidationError(
          "Cloud Hypervisor has no vhost-net of its own: serve the tap, and give --vhost-user SOCKET")
      }
      if let pairs, vhostUser == nil, pairs > UnixStream.sentDescriptorLimit {
        throw ValidationError("--pairs \(pairs): one message carries \(UnixStream.sentDescriptorLimit) descriptors")
      }
    }
    guard vhostUser == nil || vhost == .auto else {
      throw ValidationError("--vhost is for the tap's own queues: a back end has what it has")
    }
  }

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    if let socket = hypervisor.qmp {
      try attach(toQemuAt: socket, through: provisioner)
    } else if let socket = hypervisor.cloudHypervisor {
      try attach(toCloudHypervisorAt: socket, through: provisioner)
    }
  }

  /// Looks at the tap: once its hypervisor cannot be working on it for another mqctl.
  func target(through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>) throws(Failure) -> Target {
    guard let tap = try Failure.explain(provisioner.device(named: name)) else {
      throw Failure(.absent(kind: "tap", name: name.description))
    }
    // The name may have been an alternative one.
    return Target(tap: tap, name: (try? InterfaceName(tap.link.name)) ?? name, mac: tap.link.mac?.guestSide)
  }

  /// What is to be attached.
  struct Target {
    let tap: Device
    let name: InterfaceName
    let mac: MACAddress?
  }

  /// How many pairs it is to have.
  func count(_ target: Target) throws(Failure) -> Int {
    guard let count = pairs ?? target.tap.record?.pairs else { throw Failure(.pairsUnknown(target.tap)) }
    return count
  }

  /// The tap is said to be attached: it must be this one, and with the pairs that were asked for.
  func confirm(_ target: Target, heldBy process: Int?, queues: Int?) throws(Failure) {
    let id = hypervisor.identifier(for: target.name)
    let holders = HolderTable().holders(of: target.name.description).map(\.process)
    // A socket that a service manager has opened has that one for its peer.
    let isQemu = process.flatMap { try? FileTree.text(of: "/proc/\($0)/comm") }?.hasPrefix("qemu") ?? false
    let isElsewhere = isQemu && !holders.isEmpty && !holders.contains { $0 == process }
    guard target.tap.openQueues > 0, !isElsewhere else {
      throw Failure(
        .conflict, "the hypervisor has a device '\(id)' on an earlier tap of the name \(target.name)",
        mend: "detach it, then attach this one")
    }
    if let pairs, pairs != queues ?? target.tap.openQueues {
      throw Failure(
        .conflict, "\(target.name) is attached with \(queues ?? target.tap.openQueues) pair(s), asked for \(pairs)",
        mend: "detach it first")
    }
  }

  /// What was done, for people and machines.
  func report(_ report: AttachmentReport) {
    Output(json: output.json).report(report) {
      guard report.outcome == "attached" else { return "\(report.name): attached already, as \(report.id)" }
      let way =
        report.socket.map { "through \($0)" } ?? (report.vhost == true ? "with vhost-net" : "the tap queues alone")
      return "\(report.name): attached as \(report.id), \(report.pairs ?? 0) pair(s), \(way)"
    }
  }
}
