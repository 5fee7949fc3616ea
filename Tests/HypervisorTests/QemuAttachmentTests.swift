import TapMQ
import Testing

@testable import Hypervisor

@Suite struct QemuAttachmentTests {
  @Test func names() throws {
    let place = QemuAttachment(interface: try InterfaceName("tap0"), identifier: "net1", kind: .tap)
    #expect(place.netdev == "mqctl-tap0" && place.chardev == "mqctl-tap0-user")
    #expect(place.tapName(3) == "mqctl-tap0-tap-3" && place.vhostName(0) == "mqctl-tap0-vhost-0")
    #expect(QemuAttachment.netdev(of: try InterfaceName("a_b@1"), .vhostUser) == "mqctl-a_5fb_401-user")
  }

  private typealias Occupant = QemuAttachment.Occupant

  private func state(_ occupants: [Occupant], kind: QemuAttachment.Kind = .tap) throws(HypervisorError)
    -> QemuAttachment.State
  {
    guard let name = try? InterfaceName("tap0") else { fatalError("a name") }
    return try QemuAttachment(interface: name, identifier: "net0", kind: kind).state(among: occupants)
  }

  @Test func what() throws {
    let port = Occupant(path: "/machine/peripheral/rp0", identifier: "rp0", type: "pcie-root-port", netdev: nil)
    let other = Occupant(
      path: "/machine/peripheral-anon/device[0]", identifier: nil, type: "virtio-net-pci", netdev: "n")
    let ours = Occupant(path: "/p/net0", identifier: "net0", type: "virtio-net-pci", netdev: "mqctl-tap0")
    #expect(try state([]) == .absent)
    #expect(try state([port, other]) == .absent)
    #expect(try state([port, ours]) == .attached)
    let foreign = Occupant(path: "/p/net0", identifier: "net0", type: "virtio-net-pci", netdev: "n")
    let elsewhere = Occupant(path: "/p/net1", identifier: "net1", type: "virtio-net-pci", netdev: "mqctl-tap0")
    // Its netdev must not be taken for a leftover of an attachment of the other kind.
    let served = Occupant(path: "/p/net2", identifier: "net2", type: "virtio-net-pci", netdev: "mqctl-tap0-user")
    for occupant in [foreign, elsewhere, served] {
      #expect(throws: HypervisorError.self) { try state([occupant]) }
    }
    #expect(throws: HypervisorError.self) { try state([ours], kind: .vhostUser) }
  }

  @Test func words() throws {
    let words = try QemuDevice("virtio-net-pci,bus=a,,b,mq=off,vectors=0,flag,addr=06.0")
    #expect(words.driver == "virtio-net-pci" && words.isPCI && words.has("bus") && !words.has("mac"))
    let types = ["mq": "bool", "vectors": "uint32", "flag": "OnOffAuto", "addr": "int32", "mac": "str", "n": "uint16"]
    let arguments = try words.arguments(
      identifier: "i", netdev: "n", defaults: ["mq": "on", "vectors": "10", "mac": "m", "n": "7"], types: types)
    #expect(
      arguments == [
        "driver": "virtio-net-pci", "id": "i", "netdev": "n", "bus": "a,b", "mq": false, "vectors": 0, "flag": "on",
        "addr": "06.0", "mac": "m", "n": 7,
      ])
    #expect(throws: HypervisorError.badProperty("mq is on or off, and not '2'")) {
      try QemuDevice("d,mq=2").arguments(identifier: "i", netdev: "n", defaults: [:], types: types)
    }
  }

  @Test(arguments: ["", ",a=1", "a=1", "d,", "d,=1", "d,id=x", "d,netdev=x", "d,driver=x", "d,a=1,a=2"])
  func noWords(_ text: String) {
    #expect(throws: QemuDevice.Invalid.self) { try QemuDevice(text) }
  }
}
