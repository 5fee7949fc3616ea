internal import LinuxIO
public import SystemPackage

/// Cloud Hypervisor's HTTP API on its UNIX socket (`--api-socket`): a connection a request.
public struct CloudHypervisor: Sendable {
  /// The socket.
  public let socket: String
  /// How long an answer may take.
  public let seconds: Int

  /// What one asks of that socket.
  public init(socket: String, seconds: Int) {
    self.socket = socket
    self.seconds = seconds
  }

  /// A network device as `vm.info` has it.
  public struct Net: Sendable, Equatable {
    /// Its id.
    public let identifier: String
    /// Virtqueues, two a pair.
    public let queues: Int
    /// The guest's address.
    public let mac: String?
    /// The back end's socket; nil for a device that is on no back end.
    public let socket: String?
  }

  /// A virtual machine as `vm.info` has it.
  public struct Machine: Sendable, Equatable {
    /// Its network devices.
    public let nets: [Net]
    /// The ids of the devices that it has or that its guest has yet to let go.
    public let deviceIdentifiers: Set<String>
    /// Whether a back end may map its memory.
    public let isMemoryShared: Bool

    /// Reads what `vm.info` answered; nil if that has no configuration.
    public init?(_ info: JSON) {
      guard let config = info["config"] else { return nil }
      nets = (config["net"]?.elements ?? []).compactMap { net in
        net["id"]?.string.map { identifier in
          Net(
            identifier: identifier, queues: net["num_queues"]?.integer ?? 2, mac: net["mac"]?.string,
            socket: net["vhost_user"]?.bool == true ? net["vhost_socket"]?.string ?? "" : nil)
        }
      }
      var identifiers = Set(nets.map(\.identifier))
      if case .object(let tree) = info["device_tree"] { identifiers.formUnion(tree.keys) }
      deviceIdentifiers = identifiers
      let memory = config["memory"]
      let zones = memory?["zones"]?.elements ?? []
      isMemoryShared = Self.isShared(memory) || !zones.isEmpty && zones.allSatisfy { Self.isShared($0) }
    }

    private static func isShared(_ memory: JSON?) -> Bool {
      memory?["shared"]?.bool == true || memory?["hugepages"]?.bool == true
    }
  }

  /// GET vm.info, and the process that answered.
  public func machine() throws(HypervisorError) -> (machine: Machine, process: Int?) {
    let request = HTTPRequest("GET", "/api/v1/vm.info")
    let (response, process) = try ask(request)
    guard let info = JSON(response.body), let machine = Machine(info) else {
      throw .nonsense(step: request.step, what: "no description of a machine")
    }
    return (machine, process)
  }

  /// PUT vm.add-net on a tap's queues, which go along by SCM_RIGHTS in the order of the pairs.
  public func add(_ identifier: String, mac: String?, taps: [FileDescriptor]) throws(HypervisorError) {
    var net: [String: JSON] = ["id": .string(identifier), "num_queues": .integer(2 * taps.count)]
    if let mac { net["mac"] = .string(mac) }
    _ = try ask(HTTPRequest("PUT", "/api/v1/vm.add-net", body: .object(net)), passing: taps)
  }

  /// PUT vm.add-net on a vhost-user back end's socket, to which the hypervisor connects.
  public func add(
    _ identifier: String, mac: String?, pairs: Int, backEnd path: String
  ) throws(HypervisorError) {
    var net: [String: JSON] = [
      "id": .string(identifier), "num_queues": .integer(2 * pairs), "vhost_user": true, "vhost_socket": .string(path),
      "vhost_mode": "Client",
    ]
    if let mac { net["mac"] = .string(mac) }
    _ = try ask(HTTPRequest("PUT", "/api/v1/vm.add-net", body: .object(net)))
  }

  /// PUT vm.remove-device, then waits until the guest has let it go.
  public func remove(_ identifier: String) throws(HypervisorError) {
    let end = ContinuousClock.now + .seconds(seconds)
    _ = try ask(HTTPRequest("PUT", "/api/v1/vm.remove-device", body: ["id": .string(identifier)]))
    while try machine().machine.deviceIdentifiers.contains(identifier) {
      guard ContinuousClock.now < end else { throw .guestKeeps(identifier: identifier, seconds: seconds) }
      _ = try? LinuxKernel().poll([], milliseconds: 50)
    }
  }

  /// One request, one answer; one that is not of success is refused in the answer's words.
  private func ask(
    _ request: HTTPRequest, passing descriptors: [FileDescriptor] = []
  ) throws(HypervisorError) -> (HTTPResponse, process: Int?) {
    let end = ContinuousClock.now + .seconds(seconds)
    let connection = try HypervisorError.connection(to: socket, seconds: seconds)
    let response = try answer(to: request, on: connection, passing: descriptors, until: end)
    guard (200..<300).contains(response.status) else {
      throw .refused(step: request.step, words: Self.words(of: response))
    }
    return (response, connection.peerProcess)
  }

  private func answer(
    to request: HTTPRequest, on connection: borrowing UnixConnection, passing descriptors: [FileDescriptor],
    until end: ContinuousClock.Instant
  ) throws(HypervisorError) -> HTTPResponse {
    var bytes: [UInt8] = []
    do throws(Errno) {
      try connection.send(request.bytes, with: descriptors, until: end)
    } catch {
      throw HypervisorError(error, step: request.step, seconds: seconds)
    }
    while true {
      switch HTTPResponse.read(bytes) {
      case .complete(let response): return response
      case .nonsense(let what): throw .nonsense(step: request.step, what: what)
      case .incomplete:
        do throws(Errno) {
          bytes += try connection.receive(atMost: 1 << 16, until: end)
        } catch {
          throw HypervisorError(error, step: request.step, seconds: seconds)
        }
      }
    }
  }

  /// What it says, which is JSON or plain.
  private static func words(of response: HTTPResponse) -> String {
    let text: String
    switch JSON(response.body) {
    case .array(let parts): text = parts.compactMap(\.string).joined(separator: ": ")
    case .string(let words): text = words
    default: text = String(decoding: response.body.prefix(1000), as: UTF8.self)
    }
    let line = Text.line(text)
    return line.isEmpty ? "HTTP status \(response.status)" : "\(line) (HTTP status \(response.status))"
  }
}
