internal import LinuxIO
internal import Orchestrator
internal import TapMQ
internal import VhostKernel

/// A tap as `list` and `show` print it.
struct DeviceReport: Encodable {
  struct Holder: Encodable {
    let pid: Int
    let command: String
    let attachedQueues: Int
    let detachedQueues: Int
    let vhostDescriptors: Int
    let served: Served?
    let workers: [WorkerReport]
  }

  /// Of `mqctl serve`.
  struct Served: Encodable {
    let socket: String
    let pairs: Int
    let connected: Bool
  }

  struct WorkerReport: Encodable {
    let thread: Int
    let kind: String
  }

  let name: String
  let index: Int
  let madeByMqctl: Bool
  let pairs: Int?
  let attachedQueues: Int
  let detachedQueues: Int
  let flags: [String]
  let owner: UInt32?
  let group: UInt32?
  let mac: String?
  let guestMAC: String?
  let mtu: Int
  let bridge: String?
  let addresses: [String]
  let up: Bool
  let carrier: Bool
  let qdisc: String?
  let holders: [Holder]

  /// `table` is asked once for many devices.
  init(_ device: Device, _ table: HolderTable) {
    let tun = device.tun
    name = device.link.name
    index = device.link.index
    madeByMqctl = device.record != nil
    pairs = device.record?.pairs
    attachedQueues = tun.attachedQueues ?? 0
    detachedQueues = tun.detachedQueues ?? 0
    let known: [(Bool, String)] = [
      (true, "tap"), (tun.multiQueue, "multi_queue"), (tun.vnetHeader, "vnet_hdr"), (tun.packetInformation, "pi"),
      (tun.persistent, "persist"), (device.record?.backpressure == true, "backpressure"),
    ]
    flags = known.filter(\.0).map(\.1)
    owner = tun.owner
    group = tun.group
    mac = device.link.mac?.description
    guestMAC = device.link.mac?.guestSide.description
    mtu = device.link.mtu
    bridge = device.bridge
    addresses = device.addresses.map(\.description)
    up = device.link.isUp
    carrier = device.link.hasCarrier
    qdisc = device.link.qdisc
    holders = table.holders(of: device.link.name).map { holder in
      let workers = holder.vhostDescriptors > 0 ? Worker.all(of: holder.process) : []
      return Holder(
        pid: holder.process, command: holder.command, attachedQueues: holder.attachedQueues,
        detachedQueues: holder.detachedQueues, vhostDescriptors: holder.vhostDescriptors,
        served: holder.served.map {
          Served(
            socket: $0.path, pairs: holder.attachedQueues + holder.detachedQueues, connected: $0.isConnected)
        },
        workers: workers.sorted { $0.thread < $1.thread }
          .map { WorkerReport(thread: $0.thread, kind: $0.kind.rawValue) })
    }
  }

  /// Where `mqctl serve` listens; with a `+` if a front end is connected.
  var servedText: String {
    let served = holders.compactMap(\.served).map { $0.socket + ($0.connected ? "+" : "") }
    return served.isEmpty ? "-" : served.joined(separator: ",")
  }

  var holderText: String {
    if holders.isEmpty { return attachedQueues + detachedQueues > 0 ? "?" : "-" }
    return holders.map { "\($0.command)(\($0.pid))" }.joined(separator: ",")
  }
}
