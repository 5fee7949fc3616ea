public import TapMQ

/// A tap's place in a running QEMU, and the names that go with it there.
///
/// They say which tap it is, so that another process, and one that comes after this was killed, knows what it finds:
///
/// | what | name |
/// | --- | --- |
/// | a descriptor of getfd | `mqctl-tap0-tap-0`, …, `mqctl-tap0-vhost-0`, … |
/// | the netdev | `mqctl-tap0`, or `mqctl-tap0-user` on a vhost-user socket |
/// | the character device of the socket | `mqctl-tap0-user` |
public struct QemuAttachment: Sendable, Equatable {
  /// How the netdev gets its packets.
  public enum Kind: Sendable, Equatable, CaseIterable {
    /// From the tap's queues, by descriptor.
    case tap
    /// From a vhost-user back end.
    case vhostUser
  }

  /// The tap.
  public let interface: InterfaceName
  /// The device's id.
  public let identifier: String
  /// How.
  public let kind: Kind

  /// Describes a place.
  public init(interface: InterfaceName, identifier: String, kind: Kind) {
    self.interface = interface
    self.identifier = identifier
    self.kind = kind
  }

  /// The netdev's id.
  public var netdev: String { Self.netdev(of: interface, kind) }

  /// The character device's id.
  public var chardev: String { Self.netdev(of: interface, .vhostUser) }

  /// The names of the tap queues' descriptors and of the vhost devices'.
  public func tapName(_ pair: Int) -> String { "\(base)-tap-\(pair)" }
  /// Likewise.
  public func vhostName(_ pair: Int) -> String { "\(base)-vhost-\(pair)" }

  private var base: String { Self.netdev(of: interface, .tap) }

  /// The id of a tap's netdev. What QEMU does not take in an id is written `_XX`, in hexadecimal.
  public static func netdev(of interface: InterfaceName, _ kind: Kind) -> String {
    let name = interface.description.utf8.reduce(into: "") { text, byte in
      switch byte {
      case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2D, 0x2E: text.unicodeScalars.append(Unicode.Scalar(byte))
      default: text += "_" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return "mqctl-\(name)" + (kind == .vhostUser ? "-user" : "")
  }

  /// A device that QEMU has, as far as it concerns a network.
  public struct Occupant: Sendable, Equatable {
    /// Its path in QEMU's object tree.
    public let path: String
    /// Its id; nil for one that was started without.
    public let identifier: String?
    /// Its type.
    public let type: String
    /// The netdev that it is on; nil for a device of another kind.
    public let netdev: String?
  }

  /// What QEMU has already of what is wanted.
  public enum State: Sendable, Equatable {
    /// Nothing, or leftovers.
    case absent
    /// Just this.
    case attached
  }

  /// Compares with what there is.
  public func state(among occupants: [Occupant]) throws(HypervisorError) -> State {
    if let same = occupants.first(where: { $0.identifier == identifier }) {
      if same.netdev == netdev { return .attached }
      let place = same.netdev.map { " on netdev '\($0)'" } ?? ""
      throw .conflict(
        "QEMU has a device '\(identifier)' already, a \(same.type)\(place)",
        mend: "give another --id, or detach that one")
    }
    let ours = Kind.allCases.map { Self.netdev(of: interface, $0) }
    if let other = occupants.first(where: { $0.netdev.map(ours.contains) == true }) {
      throw .conflict(
        "\(interface) is attached already, as device '\(other.identifier ?? other.path)'",
        mend: "detach it first, or give that --id")
    }
    return .absent
  }
}
