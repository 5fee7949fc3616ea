internal import ArgumentParser
internal import Orchestrator
internal import TapMQ

struct Args: ParsableCommand, ReportingCommand {
  /// Who is to use the tap.
  enum Hypervisor: String, CaseIterable {
    case qemu
    case cloudHypervisor = "cloud-hypervisor"
    case crosvm
    case libvirt
  }

  static let configuration = CommandConfiguration(
    commandName: "args",
    abstract: "Print the words, or the XML, that use a tap with a hypervisor.",
    discussion: """
      For a hypervisor that opens the tap by itself, as root or as the tap's owner: multi-queue and interrupt vectors \
      are right. 'mqctl exec' needs no such rights of it, and fills in words of its own.

        qemu-system-x86_64 -m 1G ... $(mqctl args tap0 --for qemu)
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @Option(name: .customLong("for"), help: "qemu, cloud-hypervisor, crosvm or libvirt.", transform: oneOf)
  var hypervisor: Hypervisor

  @Option(
    help: .init(
      "Reach it through the vhost-user socket of a back end, such as 'mqctl serve'. The guest's memory must be shared.",
      valueName: "socket"))
  var vhostUser: String?

  @Option(help: .init("How many pairs. Default: as many as the tap was made with.", valueName: "n"))
  var pairs: Int?

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    try checkPairs(pairs)
  }

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    guard let device = try Failure.explain(provisioner.device(named: name)) else {
      throw Failure(.absent(kind: "tap", name: name.description))
    }
    guard let pairs = pairs ?? device.record?.pairs else { throw Failure(.pairsUnknown(device)) }
    let words = HypervisorWords(
      interface: name.description, pairs: pairs, guestMAC: device.link.mac?.guestSide,
      socket: vhostUser)
    struct Report: Encodable {
      let name: String
      let hypervisor: String
      let words: [String]
      let xml: String?
    }
    let text = hypervisor == .libvirt ? words.libvirt : nil
    let list: [String] =
      switch hypervisor {
      case .qemu: words.qemu
      case .cloudHypervisor: words.cloudHypervisor
      case .crosvm: words.crosvm
      case .libvirt: []
      }
    if vhostUser != nil, !output.json, let memory = words.sharedMemory[hypervisor.rawValue] {
      Output.note("mqctl: the guest's memory must be shared: \(memory)")
    }
    let report = Report(name: words.interface, hypervisor: hypervisor.rawValue, words: list, xml: text)
    Output(json: output.json).report(report) { text ?? list.joined(separator: " ") }
  }
}
