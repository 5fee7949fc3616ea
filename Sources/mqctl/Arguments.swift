internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// Reads one of a fixed set of words.
func oneOf<Choice: RawRepresentable & CaseIterable>(_ word: String) throws -> Choice where Choice.RawValue == String {
  guard let choice = Choice(rawValue: word) else {
    throw ValidationError("'\(word)' is none of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
  }
  return choice
}

/// `--netns`: where the tap lives.
struct NamespaceOptions: ParsableArguments {
  @Option(
    name: .customLong("netns"),
    help: .init("The network namespace of the tap: as 'ip netns' names it, a process id, or a path.", valueName: "ns"))
  var namespace: String?

  func enter() throws(Failure) { try Self.enter(namespace) }

  /// Enters it (setns(2), CAP_SYS_ADMIN), for the whole of this process.
  static func enter(_ namespace: String?) throws(Failure) {
    guard let namespace else { return }
    try Self.enter(try Self.open(namespace), named: namespace)
  }

  /// A namespace's file, by a word for it.
  static func open(_ namespace: String) throws(Failure) -> OwnedDescriptor {
    let path: String
    if namespace.contains("/") {
      path = namespace
    } else if namespace.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      path = "/proc/\(namespace)/ns/net"
    } else {
      path = "/run/netns/\(namespace)"
    }
    do {
      return OwnedDescriptor(adopting: try unsafe FileDescriptor.open(path, .readOnly, options: .closeOnExec))
    } catch {
      throw failure(error as? Errno ?? .ioError, namespace)
    }
  }

  static func enter(_ descriptor: borrowing OwnedDescriptor, named namespace: String) throws(Failure) {
    do {
      try NetworkNamespace.enter(descriptor.descriptor)
    } catch {
      throw failure(error, namespace)
    }
  }

  private static func failure(_ error: Errno, _ namespace: String) -> Failure {
    switch error {
    case .noSuchFileOrDirectory: Failure(.absent(kind: "network namespace", name: namespace))
    case .invalidArgument: Failure(.usage, "'\(namespace)' is no network namespace", mend: "see 'ip netns list'")
    case .notPermitted, .permissionDenied:
      Failure(.notPermitted, "entering network namespace \(namespace): \(error)", mend: "run as root")
    default: Failure(.other, "entering network namespace \(namespace): \(error)")
    }
  }
}

/// The kernel and a rtnetlink session of the current namespace.
func openProvisioner() throws(Failure) -> Provisioner<LinuxKernel, LinkSession> {
  do {
    return Provisioner(kernel: LinuxKernel(), links: try LinkSession())
  } catch {
    throw Failure(.tap(error))
  }
}

/// What a device is to be like, in `create`'s words.
struct DeviceOptions: ParsableArguments {
  @Option(
    help: .init(
      "Who may open its queues without CAP_NET_ADMIN, a name or number; with --group, who is both. Default without --group: root.",
      valueName: "user"))
  var owner: String?

  @Option(help: .init("Which group may, a name or number.", valueName: "group"))
  var group: String?

  @Option(
    help: .init("The tap's own MAC address; the guest's differs in the first byte. Default: the kernel's choice."),
    transform: { try MACAddress($0) })
  var mac: MACAddress?

  @Option(help: .init("Bytes a frame may carry, 68 to 65521.", valueName: "bytes"))
  var mtu: Int = DeviceSpec.defaultMTU

  @Option(
    help: .init("The bridge to make it a port of.", valueName: "bridge"), transform: { try InterfaceName($0) })
  var bridge: InterfaceName?

  @Option(
    help: .init("An IP address for the tap, with its prefix length; may be given several times.", valueName: "cidr"),
    transform: { try InterfaceAddress($0) })
  var address: [InterfaceAddress] = []

  @Flag(help: "Leave it down.")
  var down = false

  @Option(
    help: """
      noqueue (the default) saves over 1 ms and some 6 MB of kernel memory a tap: a queueing discipline would keep a ring \
      for each of 256 transmit queues, which tun never lets fill.
      """, transform: oneOf)
  var qdisc: DeviceSpec.Qdisc?

  @Flag(help: "A full queue stops the sender instead of dropping (IFF_BACKPRESSURE, Linux 7); takes a real qdisc.")
  var backpressure = false

  /// Whether any of it was said.
  var isDefault: Bool {
    owner == nil && group == nil && mac == nil && mtu == DeviceSpec.defaultMTU && bridge == nil && address.isEmpty
      && !down && qdisc == nil && !backpressure
  }

  var words: DeviceWords {
    DeviceWords(
      owner: owner, group: group, mac: mac, mtu: mtu, bridge: bridge, addresses: address, down: down, qdisc: qdisc,
      backpressure: backpressure)
  }
}

/// A user by name or number.
func findUser(_ word: String) throws(Failure) -> UserDatabase.User {
  guard let user = UserDatabase.user(word) else { throw Failure(.absent(kind: "user", name: word)) }
  return user
}
