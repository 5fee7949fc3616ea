internal import SystemPackage
public import TapMQ

/// What a program that inherits a device's descriptors is told: their numbers, and the words that QEMU wants.
///
/// The tap queues come first, from 3 on (sd_listen_fds(3)'s SD_LISTEN_FDS_START), then the vhost devices, each in the
/// order of the pairs.
public struct HandOff: Sendable, Equatable {
  /// The device.
  public let interface: String
  /// How many pairs.
  public let pairs: Int
  /// Whether each has a vhost device.
  public let hasVhost: Bool
  /// The guest's address: not the tap's own.
  public let guestMAC: MACAddress?

  /// Describes a hand-off.
  public init(interface: String, pairs: Int, hasVhost: Bool, guestMAC: MACAddress?) {
    self.interface = interface
    self.pairs = pairs
    self.hasVhost = hasVhost
    self.guestMAC = guestMAC
  }

  /// The tap queues' numbers.
  public var tapNumbers: [Int] { Array(3..<3 + pairs) }
  /// The vhost devices' numbers.
  public var vhostNumbers: [Int] { hasVhost ? Array(3 + pairs..<3 + 2 * pairs) : [] }

  /// QEMU's `-netdev`: descriptors joined by `:`, as many vhost as tap. `fds=` excludes ifname, script and queues.
  public var netdev: String {
    "tap,id=\(identifier),fds=\(Self.join(tapNumbers))"
      + (hasVhost ? ",vhost=on,vhostfds=\(Self.join(vhostNumbers))" : ",vhost=off")
  }

  /// QEMU's `-device`: multi-queue from two pairs on, and an interrupt vector for each of 2N rings, for configuration
  /// and for control.
  public var device: String { QemuWords.device(identifier: identifier, pairs: pairs, mac: guestMAC) }

  /// The `id=` that joins the two: the interface's name where QEMU takes it (a letter, then letters, digits, `-._`).
  public var identifier: String { QemuWords.identifier(for: interface) }

  /// `{netdev}`, `{device}`, `{tap-fds}`, `{vhost-fds}` and `{mac}`, filled in wherever they stand in a word. Other
  /// braces are left alone.
  public func fill(_ word: String) -> String {
    var result = ""
    var rest = word[...]
    while let open = rest.firstIndex(of: "{") {
      result += rest[..<open]
      rest = rest[open...]
      if let (name, text) = fields.first(where: { rest.hasPrefix("{\($0.0)}") }) {
        result += text
        rest = rest.dropFirst(name.count + 2)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result + rest
  }

  /// What the environment says: LISTEN_FDS and LISTEN_FDNAMES as sd_listen_fds(3) has them (`tap-0`, …, `vhost-0`, …),
  /// and the same for people. LISTEN_PID is for whoever executes, being its process id.
  public var environment: [(name: String, value: String)] {
    let names = (0..<pairs).map { "tap-\($0)" } + (hasVhost ? (0..<pairs).map { "vhost-\($0)" } : [])
    return [
      ("LISTEN_FDS", String(names.count)), ("LISTEN_FDNAMES", names.joined(separator: ":")),
      ("MQCTL_INTERFACE", interface), ("MQCTL_PAIRS", String(pairs)), ("MQCTL_TAP_FDS", Self.join(tapNumbers)),
      ("MQCTL_VHOST_FDS", Self.join(vhostNumbers)), ("MQCTL_MAC", guestMAC?.description ?? ""),
    ]
  }

  private var fields: [(String, String)] {
    [
      ("netdev", netdev), ("device", device), ("tap-fds", Self.join(tapNumbers)),
      ("vhost-fds", Self.join(vhostNumbers)), ("mac", guestMAC?.description ?? ""),
    ]
  }

  private static func join(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ":")
  }
}
