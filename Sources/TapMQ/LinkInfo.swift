/// What rtnetlink tells of a link (RTM_NEWLINK).
public struct LinkInfo: Sendable, Equatable {
  /// ifindex.
  public var index: Int
  /// IFLA_IFNAME.
  public var name: String
  /// IFLA_INFO_KIND, such as `tun` or `bridge`; nil for devices without one.
  public var kind: String?
  /// IFLA_ADDRESS, where it is six bytes.
  public var mac: MACAddress?
  /// IFLA_MTU.
  public var mtu: Int
  /// IFLA_MASTER: the bridge that it is a port of.
  public var master: Int?
  /// IFLA_GROUP: 0 unless it was put into another.
  public var group: Int
  /// IFLA_IFALIAS.
  public var alias: String?
  /// IFLA_QDISC: the root queueing discipline.
  public var qdisc: String?
  /// IFF_UP.
  public var isUp: Bool
  /// IFLA_CARRIER.
  public var hasCarrier: Bool
  /// IFLA_OPERSTATE is IF_OPER_UP or IF_OPER_UNKNOWN (`netif_oper_up`): the kernel lets frames through. A tap that had no
  /// queue is IF_OPER_DOWN until a moment after its first is attached, and what is sent before that is lost.
  public var isOperational: Bool
  /// IFLA_NUM_TX_QUEUES.
  public var transmitQueues: Int
  /// IFLA_INFO_DATA of kind `tun`.
  public var tun: TunInfo?

  /// All of it.
  public init(
    index: Int, name: String, kind: String? = nil, mac: MACAddress? = nil, mtu: Int = 1500, master: Int? = nil,
    group: Int = 0, alias: String? = nil, qdisc: String? = nil, isUp: Bool = false, hasCarrier: Bool = false,
    isOperational: Bool = false, transmitQueues: Int = 1,
    tun: TunInfo? = nil
  ) {
    self.index = index
    self.name = name
    self.kind = kind
    self.mac = mac
    self.mtu = mtu
    self.master = master
    self.group = group
    self.alias = alias
    self.qdisc = qdisc
    self.isUp = isUp
    self.hasCarrier = hasCarrier
    self.isOperational = isOperational
    self.transmitQueues = transmitQueues
    self.tun = tun
  }
}

/// What rtnetlink tells of a tun or tap device (IFLA_TUN_*).
public struct TunInfo: Sendable, Equatable {
  /// IFLA_TUN_TYPE is IFF_TAP.
  public var isTap: Bool
  /// IFLA_TUN_PI: a packet information header (that is, no IFF_NO_PI).
  public var packetInformation: Bool
  /// IFLA_TUN_VNET_HDR.
  public var vnetHeader: Bool
  /// IFLA_TUN_PERSIST.
  public var persistent: Bool
  /// IFLA_TUN_MULTI_QUEUE.
  public var multiQueue: Bool
  /// IFLA_TUN_OWNER.
  public var owner: UInt32?
  /// IFLA_TUN_GROUP.
  public var group: UInt32?
  /// IFLA_TUN_NUM_QUEUES: attached queues; the kernel tells it of multi-queue devices only.
  public var attachedQueues: Int?
  /// IFLA_TUN_NUM_DISABLED_QUEUES: queues that are open but detached.
  public var detachedQueues: Int?
  /// Queues that are open, attached or not.
  public var openQueues: Int { (attachedQueues ?? 0) + (detachedQueues ?? 0) }

  /// All of it.
  public init(
    isTap: Bool = true, packetInformation: Bool = false, vnetHeader: Bool = true, persistent: Bool = true,
    multiQueue: Bool = true, owner: UInt32? = nil, group: UInt32? = nil, attachedQueues: Int? = 0,
    detachedQueues: Int? = 0
  ) {
    self.isTap = isTap
    self.packetInformation = packetInformation
    self.vnetHeader = vnetHeader
    self.persistent = persistent
    self.multiQueue = multiQueue
    self.owner = owner
    self.group = group
    self.attachedQueues = attachedQueues
    self.detachedQueues = detachedQueues
  }
}

/// What one RTM_SETLINK message is to change; what is nil stays.
public struct LinkChange: Sendable, Equatable {
  /// IFLA_IFNAME.
  public var name: InterfaceName?
  /// IFLA_ADDRESS.
  public var mac: MACAddress?
  /// IFLA_MTU.
  public var mtu: Int?
  /// IFLA_MASTER; 0 leaves the bridge.
  public var master: Int?
  /// IFLA_GROUP.
  public var group: Int?
  /// IFLA_IFALIAS; empty clears it.
  public var alias: String?
  /// IFF_UP.
  public var isUp: Bool?

  /// Changes nothing unless told.
  public init(
    name: InterfaceName? = nil, mac: MACAddress? = nil, mtu: Int? = nil, master: Int? = nil, group: Int? = nil,
    alias: String? = nil, isUp: Bool? = nil
  ) {
    self.name = name
    self.mac = mac
    self.mtu = mtu
    self.master = master
    self.group = group
    self.alias = alias
    self.isUp = isUp
  }
}
