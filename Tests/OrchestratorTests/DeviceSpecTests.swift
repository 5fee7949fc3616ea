import TapMQ
import Testing

@testable import Orchestrator

@Suite struct DeviceSpecTests {
  private func spec(
    pairs: Int = 8, owner: UInt32? = nil, group: UInt32? = nil, mac: String? = nil, mtu: Int = 1500,
    bridge: String? = nil, addresses: [String] = [], isUp: Bool = true, qdisc: DeviceSpec.Qdisc? = nil,
    backpressure: Bool = false
  ) throws -> DeviceSpec {
    try DeviceSpec(
      name: InterfaceName("tap0"), pairs: pairs, owner: owner, group: group, mac: mac.map { try MACAddress($0) },
      mtu: mtu,
      bridge: bridge.map { try InterfaceName($0) }, addresses: addresses.map { try InterfaceAddress($0) }, isUp: isUp,
      qdisc: qdisc, backpressure: backpressure)
  }

  @Test func edges() throws {
    for pairs in [1, 256] { #expect(try spec(pairs: pairs).pairs == pairs) }
    for mtu in [68, 65521] { #expect(try spec(mtu: mtu).mtu == mtu) }
    for pairs in [.min, -1, 0, 257, .max] { #expect(throws: DeviceSpec.Invalid.self) { try spec(pairs: pairs) } }
    for mtu in [.min, 0, 67, 65522, .max] { #expect(throws: DeviceSpec.Invalid.self) { try spec(mtu: mtu) } }
    #expect(throws: DeviceSpec.Invalid.self) { try spec(addresses: ["192.0.2.1", "192.0.2.1/32"]) }
    #expect(try spec(addresses: ["192.0.2.1/24", "192.0.2.1/32"]).addresses.count == 2)
  }

  @Test func backpressureWantsAQdisc() throws {
    #expect(try spec().qdisc == .noqueue)
    #expect(try spec(backpressure: true).qdisc == .default)
    #expect(try spec(qdisc: .default, backpressure: true).qdisc == .default)
    #expect(throws: DeviceSpec.Invalid.self) { try spec(qdisc: .noqueue, backpressure: true) }
  }

  private static let link = LinkInfo(
    index: 2, name: "tap0", kind: "tun", mac: MACAddress(bytes: [2, 0, 0, 0, 0, 1]), mtu: 1500, alias: "mqctl pairs=8",
    qdisc: "noqueue", isUp: true, tun: TunInfo())

  private func device(
    bridge: String? = nil, addresses: [String] = [], _ change: (inout LinkInfo) -> Void = { _ in }
  ) throws -> Device {
    var link = Self.link
    change(&link)
    return try #require(
      Device(link: link, bridge: bridge, addresses: addresses.map { try InterfaceAddress($0) }))
  }

  private func fields(_ device: Device, _ spec: DeviceSpec) -> [String] {
    device.differences(from: spec).map(\.field)
  }

  @Test func noDifference() throws {
    #expect(try fields(device(), spec()) == [])
    #expect(try fields(device(), spec(mac: "02:00:00:00:00:01")) == [])
    let addresses = ["192.0.2.1/24", "2001:db8::1/64"]
    #expect(
      try fields(device(bridge: "br0", addresses: addresses), spec(bridge: "br0", addresses: addresses.reversed()))
        == [])
    #expect(try fields(device { $0.qdisc = "noop" }, spec(qdisc: .default)) == [])
  }

  @Test func eachFieldByItself() throws {
    #expect(try fields(device { $0.alias = "mqctl pairs=9" }, spec()) == ["pairs"])
    #expect(try fields(device { $0.alias = nil }, spec()) == ["pairs"])
    #expect(try fields(device { $0.tun?.multiQueue = false }, spec()) == ["multi_queue"])
    #expect(try fields(device { $0.tun?.vnetHeader = false }, spec()) == ["vnet_hdr"])
    #expect(try fields(device { $0.tun?.packetInformation = true }, spec()) == ["pi"])
    #expect(try fields(device { $0.tun?.persistent = false }, spec()) == ["persist"])
    #expect(try fields(device { $0.tun?.owner = 1 }, spec()) == ["owner"])
    #expect(try fields(device { $0.tun?.owner = 1 }, spec(owner: 2)) == ["owner"])
    #expect(try fields(device(), spec(group: 0)) == ["group"])
    #expect(try fields(device(), spec(mac: "02:00:00:00:00:02")) == ["mac"])
    #expect(try fields(device(), spec(mtu: 9000)) == ["mtu"])
    #expect(try fields(device(), spec(bridge: "br0")) == ["bridge"])
    #expect(try fields(device(bridge: "br1"), spec(bridge: "br0")) == ["bridge"])
    #expect(try fields(device(addresses: ["192.0.2.1/24"]), spec()) == ["addresses"])
    #expect(try fields(device(), spec(isUp: false)) == ["state"])
    #expect(try fields(device { $0.qdisc = "mq" }, spec()) == ["qdisc"])
    #expect(try fields(device(), spec(qdisc: .default)) == ["qdisc"])
    #expect(
      try fields(device { $0.qdisc = "mq" }, spec(backpressure: true)) == ["backpressure"])
    #expect(try device().differences(from: spec(mtu: 9000)).first?.description == "mtu is 1500, asked for 9000")
  }

  @Test func onlyTapsAreDevices() {
    var link = Self.link
    link.tun?.isTap = false
    #expect(Device(link: link, bridge: nil, addresses: []) == nil)
    link = Self.link
    link.kind = "bridge"
    #expect(Device(link: link, bridge: nil, addresses: []) == nil)
  }

  /// What a replacement that failed goes back to: the very device, or none at all.
  @Test func restoring() throws {
    let full = try device(bridge: "br0", addresses: ["192.0.2.1/24"]) {
      $0.tun?.owner = 1000
      $0.mtu = 9000
      $0.isUp = false
    }
    #expect(full.differences(from: try DeviceSpec(restoring: full)) == [])
    #expect(throws: DeviceSpec.Invalid.self) { try DeviceSpec(restoring: device { $0.alias = "another's" }) }
    #expect(throws: DeviceSpec.Invalid.self) { try DeviceSpec(restoring: device { $0.tun?.vnetHeader = false }) }
  }
}
