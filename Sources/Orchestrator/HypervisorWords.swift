public import TapMQ

/// How a hypervisor that opens a tap by itself is told to use it.
public struct HypervisorWords: Sendable, Equatable {
  /// The tap.
  public let interface: String
  /// How many queue pairs.
  public let pairs: Int
  /// The guest's address: not the tap's own.
  public let guestMAC: MACAddress?

  /// Describes a use.
  public init(interface: String, pairs: Int, guestMAC: MACAddress?) {
    self.interface = interface
    self.pairs = pairs
    self.guestMAC = guestMAC
  }

  /// QEMU: the tap by its name, without its scripts.
  public var qemu: [String] {
    let identifier = QemuWords.identifier(for: interface)
    let queues = pairs > 1 ? ",queues=\(pairs)" : ""
    return [
      "-netdev", "tap,id=\(identifier),ifname=\(interface),script=no,downscript=no\(queues),vhost=on",
      "-device", QemuWords.device(identifier: identifier, pairs: pairs, mac: guestMAC),
    ]
  }

  /// Cloud Hypervisor: its queues are virtqueues, two a pair. Its own data path: it has no vhost-net.
  public var cloudHypervisor: [String] {
    ["--net", "tap=\(interface)\(mac),num_queues=\(2 * pairs)"]
  }

  /// crosvm: a multi-queue tap by its name.
  public var crosvm: [String] {
    ["--net", "tap-name=\(interface)\(mac),vhost-net" + (pairs > 1 ? ",vq-pairs=\(pairs)" : "")]
  }

  /// libvirt's domain XML: a tap that somebody else manages.
  public var libvirt: String {
    let address = guestMAC.map { "\n  <mac address='\($0)'/>" } ?? ""
    return """
      <interface type='ethernet'>
        <target dev='\(interface)' managed='no'/>\(address)
        <model type='virtio'/>
        <driver name='vhost'\(pairs > 1 ? " queues='\(pairs)'" : "")/>
      </interface>
      """
  }

  private var mac: String { guestMAC.map { ",mac=\($0)" } ?? "" }
}
