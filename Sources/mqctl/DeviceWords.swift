internal import LinuxIO
internal import Orchestrator
internal import TapMQ

/// What was said of a device, as it was said.
struct DeviceWords {
  var owner: String?
  var group: String?
  var mac: MACAddress?
  var mtu = DeviceSpec.defaultMTU
  var bridge: InterfaceName?
  var addresses: [InterfaceAddress] = []
  var down = false
  var qdisc: DeviceSpec.Qdisc?
  var backpressure = false

  func spec(_ name: InterfaceName, pairs: Int) throws(Failure) -> DeviceSpec {
    let owner = try resolveUser()
    let group = try resolveGroup()
    do {
      return try DeviceSpec(
        name: name, pairs: pairs, owner: owner, group: group, mac: mac, mtu: mtu,
        bridge: bridge, addresses: addresses, isUp: !down, qdisc: qdisc, backpressure: backpressure)
    } catch {
      throw Failure.usage(error.description)
    }
  }

  private func resolveUser() throws(Failure) -> UInt32? {
    // A tap with neither is anyone's who may open /dev/net/tun, which on Debian is everyone (tun_not_capable).
    guard let owner else { return group == nil ? 0 : nil }
    return try findUser(owner).id
  }

  private func resolveGroup() throws(Failure) -> UInt32? {
    guard let group else { return nil }
    guard let id = UserDatabase.group(group) else { throw Failure(.absent(kind: "group", name: group)) }
    return id
  }
}
