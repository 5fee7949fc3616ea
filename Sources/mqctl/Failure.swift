internal import DataPlane
internal import Glibc
internal import LinuxIO
internal import Orchestrator
internal import Provisioning
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// Why a command did not do it: one line for people, a code for scripts.
struct Failure: Error {
  /// The exit codes that `mqctl --help` promises.
  enum Code: Int32, Sendable {
    case other = 1
    case usage = 2
    case conflict = 3
    case notPermitted = 4
    case unsupported = 5
  }

  let code: Code
  /// The thing and the cause.
  let message: String
  /// What to do about it.
  let mend: String?

  init(_ code: Code, _ message: String, mend: String? = nil) {
    self.code = code
    self.message = message
    self.mend = mend
  }

  static func usage(_ message: String) -> Failure { Failure(.usage, message, mend: "see --help") }
}

extension Failure {
  /// Runs what throws this program's errors, and puts each into words.
  @discardableResult
  static func explain<Result: ~Copyable>(
    _ body: @autoclosure () throws(OrchestratorError) -> Result
  ) throws(Failure) -> Result {
    do {
      return try body()
    } catch {
      throw Failure(error)
    }
  }

  init(_ error: OrchestratorError) {
    switch error {
    case .differs(let device, let differences):
      let list = differences.isEmpty ? "it exists already" : differences.map(\.description).joined(separator: "; ")
      self.init(
        .conflict, "\(device.link.name) exists and differs: \(list)",
        mend: "ask for it as it is, delete it, or give --replace to 'mqctl create'")
    case .notATap(let link):
      self.init(
        .conflict,
        "\(link.name) exists and is no tap but \(link.kind.map { "of kind \($0)" } ?? "a device of its own")",
        mend: "choose another name")
    case .unsuitable(let device, let lacks):
      self.init(
        .conflict, "\(device.link.name) exists without \(lacks)",
        mend: "delete it, or make it anew with 'mqctl create \(device.link.name) --pairs N --replace'")
    case .notOurs(let device):
      self.init(.conflict, "\(device.link.name) was not made by mqctl", mend: "give --force to do it all the same")
    case .held(let device, let holders):
      let names = holders.map { "\($0.command) (pid \($0.process))" }
      let who =
        names.isEmpty ? "a process that /proc does not show to this user" : names.joined(separator: ", ")
      self.init(
        .conflict, "\(device.link.name) has \(device.openQueues) open queue(s), held by \(who)",
        mend: "end that process first; 'mqctl delete' takes --force")
    case .absent(let kind, let name):
      self.init(.other, "there is no \(kind) '\(name)'", mend: Self.mend(forAbsent: kind, name))
    case .notABridge(let link):
      self.init(.conflict, "\(link.name) is no bridge", mend: "name a bridge ('ip link add NAME type bridge')")
    case .pairsUnknown(let device):
      self.init(
        .usage, "\(device.link.name) was not made by mqctl, so nothing remembers how many pairs it is to have",
        mend: "say --pairs N")
    case .unsupported(let feature, let needs):
      self.init(.unsupported, "this kernel has no \(feature)", mend: "it needs \(needs)")
    case .notOperational(let name):
      self.init(.other, "\(name) has no carrier although it is up", mend: "see 'ip link show \(name)'")
    case .tap(let error):
      self.init(error)
    case .vhost(let error, let pair):
      self.init(error, pair: pair)
    case .system(let what, let errno):
      self.init(
        Self.code(errno), "\(what): \(errno)",
        mend: errno == .notPermitted || errno == .permissionDenied ? "run as root, or with CAP_NET_RAW" : nil)
    case .halfChanged(let cause, let why):
      let inner = Failure(cause)
      self.init(
        inner.code, "\(inner.message); what had been changed by then could not be changed back (\(why))",
        mend: inner.mend)
    case .replacement(let cause, let restored, let why):
      let inner = Failure(cause)
      self.init(
        inner.code,
        "\(inner.message); the old device was deleted by then and "
          + (restored ? "was made again" : "could not be made again (\(why ?? "no cause is known"))"),
        mend: inner.mend)
    }
  }

  private init(_ error: TapError) {
    let name = error.interface ?? "the tap"
    switch (error.operation, error.errno) {
    case ("open /dev/net/tun", .noSuchFileOrDirectory), ("open /dev/net/tun", .operationNotSupportedByDevice):
      self.init(.unsupported, "\(error)", mend: "load the driver with 'modprobe tun'")
    case ("open /dev/net/tun", .permissionDenied), ("TUNGETFEATURES of /dev/net/tun", .permissionDenied):
      self.init(
        .notPermitted, "\(error)",
        mend: "run as root, or let this user read and write /dev/net/tun (Debian's udev makes it mode 0666)")
    case ("TUNSETIFF", .notPermitted), ("TUNSETIFF", .permissionDenied):
      self.init(
        .notPermitted, "\(error)",
        mend: "run as root, with CAP_NET_ADMIN, or as the tap's owner ('mqctl create --owner')")
    case ("TUNSETIFF", Errno(rawValue: E2BIG)):
      self.init(.conflict, "\(name) has 256 queues open already: \(error)", mend: "end a process that holds some")
    case ("TUNSETIFF", .invalidArgument):
      self.init(
        .conflict, "\(error)", mend: "\(name) may be another kind of device, or have other flags: 'mqctl show \(name)'")
    case ("RTM_NEWADDR", .fileExists):
      self.init(.conflict, "\(error)", mend: "an address may be given once")
    case (_, .tooManyOpenFiles), (_, .tooManyOpenFilesInSystem):
      self.init(.other, "\(error)", mend: "raise the limit on open files ('ulimit -n'); a pair needs two")
    case (_, .notPermitted), (_, .permissionDenied):
      self.init(.notPermitted, "\(error)", mend: "run as root, or with CAP_NET_ADMIN over the network namespace")
    case (_, .noSuchFileOrDirectory) where error.operation.contains("QDISC"):
      self.init(.unsupported, "\(error)", mend: "this kernel has no such queueing discipline; try --qdisc default")
    default:
      self.init(Self.code(error.errno), "\(error)")
    }
  }

  init(_ problem: ManifestProblem) {
    self.init(.usage, "\(problem)", mend: problem.mend)
  }

  init(_ error: VhostError, pair: Int) {
    let message = "pair \(pair): \(error)"
    switch error.errno {
    case .noSuchFileOrDirectory, .operationNotSupportedByDevice, .noSuchAddressOrDevice:
      self.init(.unsupported, message, mend: "load the driver with 'modprobe vhost_net', or give --vhost off")
    case .permissionDenied, .notPermitted:
      self.init(
        .notPermitted, message, mend: "run as root or as a member of the device node's group, or give --vhost off")
    case .tooManyOpenFiles:
      self.init(.other, message, mend: "raise the limit on open files ('ulimit -n'); a pair needs two")
    case .resourceTemporarilyUnavailable, .noMemory:
      self.init(
        .other, message,
        mend: "each pair starts a worker thread of this user: see RLIMIT_NPROC ('ulimit -u') and memory")
    default:
      self.init(.other, message)
    }
  }

  private static func code(_ errno: Errno) -> Code {
    switch errno {
    case .notPermitted, .permissionDenied: .notPermitted
    case .fileExists, .resourceBusy: .conflict
    case .notSupported, .noFunction: .unsupported
    default: .other
    }
  }

  private static func mend(forAbsent kind: String, _ name: String) -> String? {
    switch kind {
    case "tap": "make it with 'mqctl create \(name) --pairs N'"
    case "bridge": "make it with 'ip link add \(name) type bridge'"
    case "user", "group": "add it, or give a number"
    case "network namespace": "see 'ip netns list', or give a process id or a path"
    default: nil
    }
  }
}
