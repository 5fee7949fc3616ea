public import TapMQ

/// How a hypervisor is told to use a tap: one that opens it by itself, or one that reaches it through a vhost-user socket.
public struct HypervisorWords: Sendable, Equatable {
  /// The tap.
  public let interface: String
  /// How many queue pairs.
  public let pairs: Int
  /// The guest's address: not the tap's own.
  public let guestMAC: MACAddress?

  /// Where a vhost-user back end listens; nil for a hypervisor that opens the tap by itself.
  public let socket: String?

  /// Describes a use.
  public init(interface: String, pairs: Int, guestMAC: MACAddress?, socket: String? = nil) {
    self.socket = socket
    self.interface = interface
    self.pairs = pairs
    self.guestMAC = guestMAC
  }

  /// QEMU: the tap by its name, without its scripts; or a character device on the socket.
  public var qemu: [String] {
    let identifier = QemuWords.identifier(for: interface)
    let queues = pairs > 1 ? ",queues=\(pairs)" : ""
    if let socket {
      return [
        "-chardev", "socket,id=\(identifier)-socket,path=\(QemuWords.escape(socket))",
        "-netdev", "vhost-user,id=\(identifier),chardev=\(identifier)-socket\(queues)",
        "-device", QemuWords.device(identifier: identifier, pairs: pairs, mac: guestMAC),
      ]
    }
    return [
      "-netdev", "tap,id=\(identifier),ifname=\(interface),script=no,downscript=no\(queues),vhost=on",
      "-device", QemuWords.device(identifier: identifier, pairs: pairs, mac: guestMAC),
    ]
  }

  /// Cloud Hypervisor: its queues are virtqueues, two a pair. Its own data path: it has no vhost-net.
  public var cloudHypervisor: [String] {
    let place = socket.map { "vhost_user=true,socket=\($0)" } ?? "tap=\(interface)"
    return ["--net", "\(place)\(mac),num_queues=\(2 * pairs)"]
  }

  /// crosvm: a multi-queue tap by its name; or the socket, whose other end says how many queues there are.
  public var crosvm: [String] {
    if let socket { return ["--vhost-user", "type=net,socket=\(socket)"] }
    return ["--net", "tap-name=\(interface)\(mac),vhost-net" + (pairs > 1 ? ",vq-pairs=\(pairs)" : "")]
  }

  /// libvirt's domain XML: a tap that somebody else manages; or a socket.
  public var libvirt: String {
    let address = guestMAC.map { "\n  <mac address='\($0)'/>" } ?? ""
    if let socket {
      return """
        <interface type='vhostuser'>
          <source type='unix' path='\(Self.escape(socket))' mode='client'/>\(address)
          <model type='virtio'/>\(pairs > 1 ? "\n  <driver queues='\(pairs)'/>" : "")
        </interface>
        """
    }
    return """
      <interface type='ethernet'>
        <target dev='\(interface)' managed='no'/>\(address)
        <model type='virtio'/>
        <driver name='vhost'\(pairs > 1 ? " queues='\(pairs)'" : "")/>
      </interface>
      """
  }

  /// What else a hypervisor must be told where a back end is to see the guest's memory, which must be shared for that.
  public var sharedMemory: [String: String] {
    [
      "qemu": "-object memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem",
      "cloud-hypervisor": "--memory size=SIZE,shared=on",
      "libvirt": "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    ]
  }

  private static func escape(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case "'": result += "&apos;"
      default: result.append(character)
      }
    }
  }

  private var mac: String { guestMAC.map { ",mac=\($0)" } ?? "" }
}
