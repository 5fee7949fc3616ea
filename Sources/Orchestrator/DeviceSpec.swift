public import TapMQ

/// What was asked for: a tap, checked once, as `create` and everything after it takes it.
public struct DeviceSpec: Sendable, Equatable {
  /// The root queueing discipline.
  public enum Qdisc: String, Sendable, CaseIterable {
    /// None: a frame goes straight to its tap queue, which has a ring of its own.
    case noqueue
    /// What the kernel gives a multi-queue device (net.core.default_qdisc), a ring for each of 256 transmit queues.
    case `default`
  }

  /// How many queue pairs a device may have: a tap takes 256 queues (MAX_TAP_QUEUES of drivers/net/tun.c).
  public static let pairRange = 1...256
  /// What a tap's MTU may be: ETH_MIN_MTU to MAX_MTU less the Ethernet header.
  public static let mtuRange = 68...65521
  /// The MTU of a tap that was told none.
  public static let defaultMTU = 1500

  /// The tap's name.
  public let name: InterfaceName
  /// Queue pairs.
  public let pairs: Int
  /// Who may open its queues without CAP_NET_ADMIN (TUNSETOWNER).
  public let owner: UInt32?
  /// Which group may (TUNSETGROUP).
  public let group: UInt32?
  /// The tap's own address; nil lets the kernel choose one.
  public let mac: MACAddress?
  /// In bytes, without the Ethernet header.
  public let mtu: Int
  /// The bridge that it becomes a port of.
  public let bridge: InterfaceName?
  /// Its addresses, without order.
  public let addresses: [InterfaceAddress]
  /// Whether it is administratively up.
  public let isUp: Bool
  /// Its root queueing discipline.
  public let qdisc: Qdisc
  /// IFF_BACKPRESSURE (Linux 7): a full ring stops the transmit queue instead of dropping.
  public let backpressure: Bool

  /// Why a spec cannot be.
  public struct Invalid: Error, Equatable, CustomStringConvertible {
    /// What is wrong and the mend.
    public let description: String
  }

  /// Checks what was asked for. Without a word on it the queueing discipline is `noqueue`, and `default` with
  /// backpressure, which needs a real one.
  public init(
    name: InterfaceName, pairs: Int, owner: UInt32? = nil, group: UInt32? = nil, mac: MACAddress? = nil,
    mtu: Int = defaultMTU, bridge: InterfaceName? = nil, addresses: [InterfaceAddress] = [], isUp: Bool = true,
    qdisc: Qdisc? = nil, backpressure: Bool = false
  ) throws(Invalid) {
    guard Self.pairRange.contains(pairs) else {
      throw Invalid(description: "\(pairs) queue pairs: a tap takes 1 to 256")
    }
    guard Self.mtuRange.contains(mtu) else {
      throw Invalid(description: "MTU \(mtu): a tap takes 68 to 65521 bytes")
    }
    guard !(backpressure && qdisc == .noqueue) else {
      throw Invalid(description: "backpressure stops a queueing discipline, and noqueue is none: leave --qdisc out")
    }
    guard Set(addresses).count == addresses.count else {
      throw Invalid(description: "an address is given twice")
    }
    self.name = name
    self.pairs = pairs
    self.owner = owner
    self.group = group
    self.mac = mac
    self.mtu = mtu
    self.bridge = bridge
    self.addresses = addresses
    self.isUp = isUp
    self.qdisc = qdisc ?? (backpressure ? .default : .noqueue)
    self.backpressure = backpressure
  }
}
