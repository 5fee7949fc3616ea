internal import Orchestrator
internal import TapMQ

/// What a file's values mean.
internal struct ManifestReader {
  private let file: String

  internal init(file: String) {
    self.file = file
  }

  /// The devices of a file, in its order.
  internal func entries(in document: Node, _ names: inout NameLookup) throws(ManifestProblem) -> [Manifest.Entry] {
    let fields = try KeyedNode<ManifestKeys.File>(document, file: file, path: "")
    var entries: [Manifest.Entry] = []
    for (number, node) in try fields.required(.devices).list().enumerated() {
      entries.append(try entry(node, path: "devices[\(number)]", &names))
    }
    return entries
  }

  private func entry(
    _ node: Node, path: String, _ names: inout NameLookup
  ) throws(ManifestProblem) -> Manifest.Entry {
    let fields = try KeyedNode<ManifestKeys.Device>(node, file: file, path: path)
    let name = try fields.required(.name)
    let device = try name.parsed { text throws(InterfaceName.Invalid) in try InterfaceName(text) }
    let pairs = try fields.required(.pairs).number(in: DeviceSpec.pairRange, "a tap takes")
    let group = try fields[.group]?.identity("group") { names.group($0) }
    // As `mqctl create`: a tap with neither would be anyone's who may open /dev/net/tun.
    let owner = try fields[.owner]?.identity("user") { names.user($0) } ?? (group == nil ? 0 : nil)
    let mac = try fields[.mac]?.parsed { text throws(MACAddress.Invalid) in try MACAddress(text) }
    let mtu = try fields[.mtu]?.number(in: DeviceSpec.mtuRange, "a tap takes, in bytes,") ?? DeviceSpec.defaultMTU
    let bridge = try fields[.bridge]?.parsed { text throws(InterfaceName.Invalid) in try InterfaceName(text) }
    let isDown = try fields[.down]?.flag() ?? false
    let qdisc = try fields[.qdisc]?.choice(of: DeviceSpec.Qdisc.self)
    let backpressure = try fields[.backpressure]?.flag() ?? false
    var addresses: [InterfaceAddress] = []
    for field in try fields[.addresses]?.items() ?? [] {
      let address = try field.parsed { text throws(InterfaceAddress.Invalid) in try InterfaceAddress(text) }
      guard !addresses.contains(address) else {
        throw field.problem("\(address) is there already", mend: "leave one out")
      }
      addresses.append(address)
    }
    let namespace = try fields[.netns]?.text()
    if namespace?.isEmpty == true { throw name.problem("netns is empty", mend: "leave it out for this one") }
    let serve = try fields[.serve].map { field throws(ManifestProblem) in
      try serveSpec(field.node, path: field.path, pairs: pairs)
    }
    do throws(DeviceSpec.Invalid) {
      return Manifest.Entry(
        spec: try DeviceSpec(
          name: device, pairs: pairs, owner: owner, group: group, mac: mac, mtu: mtu, bridge: bridge,
          addresses: addresses, isUp: !isDown, qdisc: qdisc, backpressure: backpressure),
        namespace: namespace, serve: serve, file: file, line: node.line)
    } catch {
      // What it refuses beside what is checked above.
      throw (fields[.qdisc] ?? name).problem(error.description, mend: nil)
    }
  }

  private func serveSpec(_ node: Node, path: String, pairs: Int) throws(ManifestProblem) -> ServeSpec {
    let fields = try KeyedNode<ManifestKeys.Serve>(node, file: file, path: path)
    let socket = try fields.required(.socket)
    let place = try socket.text()
    // sockaddr_un has room for 108 bytes, a NUL among them.
    guard place.hasPrefix("/"), place.utf8.count <= 107 else {
      throw socket.problem("'\(place)' is no place for a socket", mend: "write an absolute path of up to 107 bytes")
    }
    let served = try fields[.pairs]?.number(in: ServeSpec.pairRange, "vhost-user takes")
    guard served != nil || pairs <= ServeSpec.pairRange.upperBound else {
      throw socket.problem(
        "the device has \(pairs) pairs, and vhost-user takes 1 to 128", mend: "write pairs under serve")
    }
    let mode = fields[.socketMode]
    let octal = try mode?.text()
    if let mode, let octal, !(UInt32(octal, radix: 8).map { $0 <= 0o777 } ?? false) || octal.utf8.count > 4 {
      throw mode.problem("'\(octal)' are no permissions", mend: "write them in octal and in quotes, as \"660\"")
    }
    let datapath = try fields[.datapath]?.choice(of: ServeSpec.Datapath.self)
    let busyPoll = try fields[.busyPoll]?.number(in: ServeSpec.busyPollRange, "it takes, in microseconds,")
    if let field = fields[.busyPoll], datapath == .kernel {
      throw field.problem("the kernel's data path does not look for work", mend: "leave it out")
    }
    return ServeSpec(
      socket: place, pairs: served, user: try fields[.user]?.word(), socketMode: octal,
      socketGroup: try fields[.socketGroup]?.word(), datapath: datapath, busyPoll: busyPoll)
  }
}
