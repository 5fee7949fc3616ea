internal import ArgumentParser
internal import DataPlane
internal import Glibc
internal import LinuxIO
internal import Orchestrator
internal import Provisioning
internal import SystemPackage
internal import TapMQ

struct Serve: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Give a tap's queue pairs to any hypervisor that speaks vhost-user, with vhost-net or without.",
    discussion: """
      Opens the tap's queues and as many vhost-net devices, drops every capability and all but a few system calls for \
      good, and serves front ends on a socket, one at a time: their memory and their rings go straight to the kernel, \
      and no packet passes through this program. Where there is no vhost-net, a thread of this program moves each \
      pair's packets instead. When a front end goes, the next one is served. SIGTERM ends it.

        mqctl serve tap0 --socket /run/vm/tap0.sock --user vm

      Whoever may write to the socket may connect; it belongs to USER, who needs the right to write to its folder to \
      remove it in the end. With systemd's socket activation (LISTEN_FDS) \
      leave --socket out. Needs CAP_NET_ADMIN, and for the kernel's data path read and write permission on \
      /dev/vhost-net.
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @Option(
    help: .init(
      "Be told by what a file of 'mqctl apply' says of the tap under 'serve', in place of options.", valueName: "file"))
  var from: String?

  @Option(help: .init("Where to listen. A socket that nobody listens on is replaced.", valueName: "path"))
  var socket: String?

  @Option(
    help: .init("How many pairs, up to 128. Default: as many as the tap was made with.", valueName: "n"))
  var pairs: Int?

  @Option(
    help: .init(
      "Who moves the packets: the kernel's vhost-net (kernel), a thread a pair of this program (userspace), or what there is (auto).",
      valueName: "datapath"), transform: oneOf)
  var datapath: Datapath = .auto

  @Option(
    help: .init(
      "How long a thread of the userspace data path looks for more work before it sleeps. Default: 0.", valueName: "n"))
  var busyPollUs: Int?

  @Flag(help: "End after the first front end.")
  var once = false

  @Flag(help: "Leave the tap its carrier while no front end runs a pair: a bridge or the host goes on as if it did.")
  var keepCarrier = false

  @Option(help: .init("Go on as this user; a number is not looked up.", valueName: "user"))
  var user: String?

  @Option(help: .init("The socket's permissions, in octal. Default: 600.", valueName: "mode"))
  var socketMode: String?

  @Option(help: .init("The socket's group, a name or number.", valueName: "group"))
  var socketGroup: String?

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if from != nil, hasOptionsOfFiles {
      throw ValidationError("--from FILE: the file has the options; leave those out that it could have")
    }
    try checkPairs(pairs)
    if let pairs, pairs > 128 { throw ValidationError("--pairs \(pairs): vhost-user has room for 128") }
    if let busyPollUs {
      guard (0...1_000_000).contains(busyPollUs) else {
        throw ValidationError("--busy-poll-us \(busyPollUs): 0 to 1000000")
      }
      if datapath == .kernel { throw ValidationError("--busy-poll-us: the kernel's data path does not look for work") }
    }
    if let socketMode, mode == nil {
      throw ValidationError("--socket-mode \(socketMode): give it in octal, such as 660")
    }
  }

  private var mode: UInt32? {
    guard let socketMode else { return 0o600 }
    return UInt32(socketMode, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
  }

  func run() throws {
    if let from { return try told(by: from).run() }
    let runAs = try user.map { try findUser($0) }
    let group = try socketGroup.map { word throws(Failure) in
      guard let id = UserDatabase.group(word) else { throw Failure(.absent(kind: "group", name: word)) }
      return id
    }
    // A reader of standard error that goes away does not end this.
    _ = signal(SIGPIPE, SIG_IGN)
    // Threads hardly allocate, and no file may be opened later.
    ProcessControl.shareOneHeap()
    let termination: OwnedDescriptor
    do throws(Errno) {
      try ProcessControl.closeDescriptors(from: 3 + ServiceManager.inheritedSockets().count)
      // Nine for each pair, of which there may be 128. Where that may not be, there may be enough nevertheless.
      try? ProcessControl.raiseOpenFileLimit()
      Output.loseWhatWouldWait()
      termination = try ServiceManager.terminationDescriptor()
    } catch {
      throw Failure(.other, "close_range, signalfd: \(error)")
    }
    try namespace.enter()
    let set = try openPairs()
    if set.hasVhost {
      try serve(set, on: KernelPlane(), .kernel, until: termination.descriptor, runAs, group)
    } else {
      try serve(set, on: userspacePlane(), .userspace, until: termination.descriptor, runAs, group)
    }
  }

  /// The whole of it, on a plane that has been chosen.
  private func serve<Moving: Plane & ~Copyable>(
    _ set: consuming PairSet<LinuxKernel>, on plane: consuming Moving, _ path: Datapath,
    until termination: FileDescriptor, _ runAs: UserDatabase.User?, _ group: UInt32?
  ) throws(Failure) where Moving.Kernel == LinuxKernel {
    let absence = set.vhostAbsence
    var server = try makeServer(set, on: plane)
    let listener = try listen(owner: runAs?.id, group: group)
    do throws(Failure) {
      try drop(becoming: runAs)
      try start(&server)
      try confine(to: path == .kernel ? .vhost : .threads)
      let place = listener.path ?? "the inherited socket"
      let reason = absence.map { ": no vhost-net (\($0))" } ?? ""
      note("listening", "\(name): \(server.pairCount) pair(s) at \(place), \(path.mover)\(reason)", path)
      try serve(&server, listener, termination)
    } catch {
      try? listener.unlink()
      throw error
    }
    ServiceManager.notify("STOPPING=1")
    do throws(Errno) {
      try listener.unlink()
    } catch {
      note("trouble", "\(listener.path ?? "the socket") could not be removed: \(error)")
    }
  }

  /// All that needs a privilege, but for the socket.
  private func openPairs() throws(Failure) -> PairSet<LinuxKernel> {
    let provisioner = try openProvisioner()
    let set: PairSet<LinuxKernel>
    do throws(OrchestratorError) {
      set = try PairSet.open(name, count: pairs, vhost: datapath.policy, through: provisioner)
    } catch {
      let failure = Failure(error)
      throw Failure(
        failure.code, failure.message,
        mend: failure.mend?.replacing("give --vhost off", with: "say --datapath userspace"))
    }
    guard set.count <= 128 else {
      throw Failure(.usage, "\(name) has \(set.count) pairs, and vhost-user has room for 128", mend: "say --pairs N")
    }
    return set
  }

  private func userspacePlane() throws(Failure) -> UserspacePlane<LinuxKernel> {
    do throws(PlaneError) {
      return try UserspacePlane(busyPoll: .microseconds(busyPollUs ?? 0), kernel: LinuxKernel())
    } catch {
      throw Failure(.other, "\(error)")
    }
  }

  private func makeServer<Moving: Plane & ~Copyable>(
    _ set: consuming PairSet<LinuxKernel>, on plane: consuming Moving
  ) throws(Failure) -> Server<Moving> where Moving.Kernel == LinuxKernel {
    let offloads: [TapOffload]
    do throws(TapError) {
      offloads = try TapOffload.probe(kernel: LinuxKernel())
    } catch {
      throw Failure(.tap(error))
    }
    do throws(PlaneError) {
      return try Server(set, on: plane, offloads: offloads, keepsCarrier: keepCarrier, kernel: LinuxKernel())
    } catch {
      throw Failure(.other, "\(name): \(error)")
    }
  }

  private func listen(owner: UInt32?, group: UInt32?) throws(Failure) -> ListeningSocket {
    let inherited = ServiceManager.inheritedSockets()
    guard let socket else {
      guard inherited.count == 1 else {
        throw Failure(
          .usage, inherited.isEmpty ? "no socket to listen on" : "\(inherited.count) sockets in LISTEN_FDS",
          mend: "say --socket PATH, or let LISTEN_FDS have one")
      }
      do throws(Errno) {
        return try ListeningSocket(inherited: inherited[0])
      } catch {
        throw Failure(.usage, "descriptor 3 is no listening AF_UNIX stream socket: \(error)", mend: "see LISTEN_FDS")
      }
    }
    do throws(Errno) {
      return try ListeningSocket(binding: socket, mode: mode ?? 0o600, owner: owner, group: group)
    } catch {
      switch error {
      case .addressInUse:
        throw Failure(
          .conflict, "\(socket) exists, and is no socket that could be replaced or is listened on",
          mend: "name another, or end who listens there")
      case .permissionDenied, .notPermitted:
        throw Failure(.notPermitted, "\(socket): \(error)", mend: "run as root, or name another place")
      default: throw Failure(.other, "\(socket): \(error)")
      }
    }
  }

  private func drop(becoming user: UserDatabase.User?) throws(Failure) {
    do throws(Privileges.Failure) {
      try Privileges.drop(becoming: user)
    } catch {
      throw Failure(.notPermitted, "\(error.call): \(error.errno)", mend: "changing the user needs root")
    }
  }

  /// Every thread is there; nothing of a front end has been read.
  private func confine(to mover: SyscallFilter.Mover) throws(Failure) {
    do throws(Privileges.Failure) {
      try SyscallFilter.install(for: mover)
    } catch {
      throw Failure(.unsupported, "\(error.call): \(error.errno)", mend: "the kernel needs CONFIG_SECCOMP_FILTER")
    }
  }

  private func start(_ server: inout Server<some Plane & ~Copyable>) throws(Failure) {
    do throws(PlaneError) {
      try server.start()
    } catch {
      throw Failure(.other, "\(name): \(error)")
    }
  }

  private func serve(
    _ server: inout Server<some Plane & ~Copyable>, _ listener: borrowing ListeningSocket, _ termination: FileDescriptor
  ) throws(Failure) {
    ServiceManager.notify("READY=1")
    do throws(PlaneError) {
      try server.run(on: listener.descriptor, until: termination, once: once) { note($0.name, "\(name): \($0)") }
    } catch {
      throw Failure(.other, "\(name): \(error)")
    }
  }

  private func note(_ event: String, _ text: String, _ path: Datapath? = nil) {
    Output.log(line(event, text, path)) { count in
      line("trouble", "\(name): \(count) line(s) before this are lost: nobody read them")
    }
  }

  private func line(_ event: String, _ text: String, _ path: Datapath? = nil) -> String {
    guard output.json else { return "mqctl: \(text)" }
    var fields = ["event": event, "text": text]
    fields["datapath"] = path?.rawValue
    return Output.encode(fields)
  }
}

/// Who moves the packets.
typealias Datapath = ServeSpec.Datapath

extension ServeSpec.Datapath {
  var policy: VhostPolicy {
    switch self {
    case .auto: .auto
    case .kernel: .require
    case .userspace: .off
    }
  }

  /// For the line that says which it was.
  var mover: String { self == .kernel ? "moved by the kernel's vhost-net" : "moved by threads of this process" }
}
