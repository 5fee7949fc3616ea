public import TapMQ

/// A tap as it is: what rtnetlink says, and what its alias remembers.
public struct Device: Sendable, Equatable {
  /// The link.
  public let link: LinkInfo
  /// IFLA_INFO_DATA of the link; every device has it.
  public let tun: TunInfo
  /// The name of the bridge that it is a port of.
  public let bridge: String?
  /// Its addresses of global scope.
  public let addresses: [InterfaceAddress]

  /// What this program remembered; nil for a tap that it did not make.
  public var record: DeviceRecord? { DeviceRecord(alias: link.alias) }

  /// Queues that are open, attached or not.
  public var openQueues: Int { tun.openQueues }

  /// A link that is a tap; nil if it is anything else.
  internal init?(link: LinkInfo, bridge: String?, addresses: [InterfaceAddress]) {
    guard link.kind == "tun", let tun = link.tun, tun.isTap else { return nil }
    self.link = link
    self.tun = tun
    self.bridge = bridge
    self.addresses = addresses
  }

  /// One thing that is not as a spec wants it.
  public struct Difference: Sendable, Equatable, CustomStringConvertible {
    /// Such as `mtu`.
    public let field: String
    /// What it is.
    public let existing: String
    /// What was asked for.
    public let wanted: String

    /// Such as `mtu is 1500, asked for 9000`.
    public var description: String { "\(field) is \(existing), asked for \(wanted)" }
  }

  /// Where this device differs from a spec. An address that the spec leaves to the kernel is never a difference.
  public func differences(from spec: DeviceSpec) -> [Difference] {
    var found: [Difference] = []
    func compare(_ field: String, _ existing: String, _ wanted: String) {
      if existing != wanted { found.append(Difference(field: field, existing: existing, wanted: wanted)) }
    }
    func text(_ value: (some CustomStringConvertible)?) -> String { value?.description ?? "none" }
    // A link is found by its alternative names too, and one of those is no name for a tap.
    compare("name", link.name, spec.name.description)
    compare("pairs", record.map { String($0.pairs) } ?? "unknown (not made by mqctl)", String(spec.pairs))
    compare("multi_queue", tun.multiQueue ? "on" : "off", "on")
    compare("vnet_hdr", tun.vnetHeader ? "on" : "off", "on")
    compare("pi", tun.packetInformation ? "on" : "off", "off")
    compare("persist", tun.persistent ? "on" : "off", "on")
    compare("owner", text(tun.owner), text(spec.owner))
    compare("group", text(tun.group), text(spec.group))
    if let mac = spec.mac { compare("mac", text(link.mac), text(mac)) }
    compare("mtu", String(link.mtu), String(spec.mtu))
    compare("bridge", text(bridge), text(spec.bridge))
    compare("addresses", Self.list(addresses), Self.list(spec.addresses))
    compare("state", link.isUp ? "up" : "down", spec.isUp ? "up" : "down")
    compare("backpressure", record?.backpressure == true ? "on" : "off", spec.backpressure ? "on" : "off")
    // A link that was never up reports the kernel's `noop`; it is not known yet what `default` will become.
    let isNoqueue = link.qdisc == "noqueue"
    compare("qdisc", isNoqueue ? "noqueue" : "default", spec.qdisc.rawValue)
    return found
  }

  /// Whether it has to be replaced to be as the spec wants it: where the kernel cannot change something of a tap that is
  /// there, and where this program did not make it.
  public func needsReplacement(for spec: DeviceSpec) -> Bool {
    let fixed: Set = ["name", "multi_queue", "vnet_hdr", "pi", "persist", "backpressure", "qdisc"]
    // TUNSETOWNER and TUNSETGROUP set one, and have no word for none.
    return record == nil || (spec.owner == nil && tun.owner != nil) || (spec.group == nil && tun.group != nil)
      || differences(from: spec).contains { fixed.contains($0.field) }
  }

  private static func list(_ addresses: [InterfaceAddress]) -> String {
    addresses.isEmpty ? "none" : addresses.map(\.description).sorted().joined(separator: " ")
  }
}
