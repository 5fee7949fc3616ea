public import TapMQ

/// All links of a namespace at one time.
public struct Survey: Sendable {
  /// Every link, by its name.
  public let links: [String: LinkInfo]
  /// Every tap, in the order of the indices.
  public let devices: [Device]

  /// From one dump of links and one of addresses.
  internal init(_ all: [LinkInfo], addresses: [Int: [InterfaceAddress]]) {
    links = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }
    let names = Dictionary(all.map { ($0.index, $0.name) }) { first, _ in first }
    devices = all.compactMap { link in
      Device(link: link, bridge: link.master.flatMap { names[$0] }, addresses: addresses[link.index] ?? [])
    }
  }

  /// What making a device of that name would be refused for: another link's name, a bridge that is none.
  internal func check(_ spec: DeviceSpec) throws(OrchestratorError) {
    if let link = links[spec.name.description], link.tun?.isTap != true { throw .notATap(link) }
    guard let bridge = spec.bridge else { return }
    guard let link = links[bridge.description] else { throw .absent(kind: "bridge", name: bridge.description) }
    guard link.kind == "bridge" else { throw .notABridge(link) }
  }
}
