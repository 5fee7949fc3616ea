/// The feature bits of GET_FEATURES and SET_FEATURES that concern a net device (virtio 1.2 §5.1.3, §6; vhost-user
/// specification for bits 26 and 30).
///
/// Sixty-four bits is all that those messages carry: UDP tunnel offloads (GUEST_UDP_TUNNEL_GSO,
/// GUEST_UDP_TUNNEL_GSO_CSUM, HOST_UDP_TUNNEL_GSO, HOST_UDP_TUNNEL_GSO_CSUM: bits 65 to 68) cannot be offered over
/// vhost-user.
public struct DeviceFeatures: OptionSet, Sendable, Hashable {
  /// The 64 bits.
  public let rawValue: UInt64

  /// Any bits.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  private init(bit: UInt64) {
    rawValue = 1 << bit
  }

  /// VIRTIO_NET_F_CSUM.
  public static let checksum = DeviceFeatures(bit: 0)
  /// VIRTIO_NET_F_GUEST_CSUM.
  public static let guestChecksum = DeviceFeatures(bit: 1)
  /// VIRTIO_NET_F_CTRL_GUEST_OFFLOADS.
  public static let controlGuestOffloads = DeviceFeatures(bit: 2)
  /// VIRTIO_NET_F_MTU.
  public static let mtu = DeviceFeatures(bit: 3)
  /// VIRTIO_NET_F_MAC.
  public static let mac = DeviceFeatures(bit: 5)
  /// VIRTIO_NET_F_GUEST_TSO4.
  public static let guestTSO4 = DeviceFeatures(bit: 7)
  /// VIRTIO_NET_F_GUEST_TSO6.
  public static let guestTSO6 = DeviceFeatures(bit: 8)
  /// VIRTIO_NET_F_GUEST_ECN.
  public static let guestECN = DeviceFeatures(bit: 9)
  /// VIRTIO_NET_F_GUEST_UFO.
  public static let guestUFO = DeviceFeatures(bit: 10)
  /// VIRTIO_NET_F_HOST_TSO4.
  public static let hostTSO4 = DeviceFeatures(bit: 11)
  /// VIRTIO_NET_F_HOST_TSO6.
  public static let hostTSO6 = DeviceFeatures(bit: 12)
  /// VIRTIO_NET_F_HOST_ECN.
  public static let hostECN = DeviceFeatures(bit: 13)
  /// VIRTIO_NET_F_HOST_UFO.
  public static let hostUFO = DeviceFeatures(bit: 14)
  /// VIRTIO_NET_F_MRG_RXBUF.
  public static let mergeableReceiveBuffers = DeviceFeatures(bit: 15)
  /// VIRTIO_NET_F_STATUS.
  public static let status = DeviceFeatures(bit: 16)
  /// VIRTIO_NET_F_CTRL_VQ.
  public static let controlQueue = DeviceFeatures(bit: 17)
  /// VIRTIO_NET_F_CTRL_RX.
  public static let controlReceive = DeviceFeatures(bit: 18)
  /// VIRTIO_NET_F_CTRL_VLAN.
  public static let controlVLAN = DeviceFeatures(bit: 19)
  /// VIRTIO_NET_F_CTRL_RX_EXTRA.
  public static let controlReceiveExtra = DeviceFeatures(bit: 20)
  /// VIRTIO_NET_F_GUEST_ANNOUNCE.
  public static let guestAnnounce = DeviceFeatures(bit: 21)
  /// VIRTIO_NET_F_MQ.
  public static let multiQueue = DeviceFeatures(bit: 22)
  /// VIRTIO_NET_F_CTRL_MAC_ADDR.
  public static let controlMAC = DeviceFeatures(bit: 23)
  /// VIRTIO_F_NOTIFY_ON_EMPTY.
  public static let notifyOnEmpty = DeviceFeatures(bit: 24)
  /// VHOST_F_LOG_ALL; vhost's, not virtio's: pages that the device writes are marked in the dirty log.
  public static let logAll = DeviceFeatures(bit: 26)
  /// VIRTIO_F_ANY_LAYOUT; in VHOST_SET_FEATURES the same bit is VHOST_NET_F_VIRTIO_NET_HDR, so it never goes there.
  public static let anyLayout = DeviceFeatures(bit: 27)
  /// VIRTIO_F_INDIRECT_DESC.
  public static let indirectDescriptors = DeviceFeatures(bit: 28)
  /// VIRTIO_F_EVENT_IDX.
  public static let eventIndex = DeviceFeatures(bit: 29)
  /// VHOST_USER_F_PROTOCOL_FEATURES; the front end's and back end's alone, never the guest's.
  public static let protocolFeatures = DeviceFeatures(bit: 30)
  /// VIRTIO_F_VERSION_1.
  public static let version1 = DeviceFeatures(bit: 32)
  /// VIRTIO_F_ACCESS_PLATFORM.
  public static let accessPlatform = DeviceFeatures(bit: 33)
  /// VIRTIO_F_RING_PACKED.
  public static let packedRing = DeviceFeatures(bit: 34)
  /// VIRTIO_F_IN_ORDER.
  public static let inOrder = DeviceFeatures(bit: 35)
  /// VIRTIO_F_RING_RESET.
  public static let ringReset = DeviceFeatures(bit: 40)
  /// VIRTIO_NET_F_GUEST_USO4.
  public static let guestUSO4 = DeviceFeatures(bit: 54)
  /// VIRTIO_NET_F_GUEST_USO6.
  public static let guestUSO6 = DeviceFeatures(bit: 55)
  /// VIRTIO_NET_F_HOST_USO.
  public static let hostUSO = DeviceFeatures(bit: 56)
  /// VIRTIO_NET_F_HASH_REPORT.
  public static let hashReport = DeviceFeatures(bit: 57)
  /// VIRTIO_NET_F_GUEST_HDRLEN.
  public static let guestHeaderLength = DeviceFeatures(bit: 59)
  /// VIRTIO_NET_F_RSS.
  public static let receiveSideScaling = DeviceFeatures(bit: 60)
  /// VIRTIO_NET_F_STANDBY.
  public static let standby = DeviceFeatures(bit: 62)
  /// VIRTIO_NET_F_SPEED_DUPLEX.
  public static let speedDuplex = DeviceFeatures(bit: 63)

  private static let knownNames: [Int: String] = [
    0: "CSUM", 1: "GUEST_CSUM", 2: "CTRL_GUEST_OFFLOADS", 3: "MTU", 5: "MAC", 7: "GUEST_TSO4", 8: "GUEST_TSO6",
    9: "GUEST_ECN", 10: "GUEST_UFO", 11: "HOST_TSO4", 12: "HOST_TSO6", 13: "HOST_ECN", 14: "HOST_UFO",
    15: "MRG_RXBUF", 16: "STATUS", 17: "CTRL_VQ", 18: "CTRL_RX", 19: "CTRL_VLAN", 20: "CTRL_RX_EXTRA",
    21: "GUEST_ANNOUNCE", 22: "MQ", 23: "CTRL_MAC_ADDR", 24: "NOTIFY_ON_EMPTY", 26: "LOG_ALL", 27: "ANY_LAYOUT",
    28: "INDIRECT_DESC", 29: "EVENT_IDX", 30: "PROTOCOL_FEATURES", 32: "VERSION_1", 33: "ACCESS_PLATFORM",
    34: "RING_PACKED", 35: "IN_ORDER", 40: "RING_RESET", 54: "GUEST_USO4", 55: "GUEST_USO6", 56: "HOST_USO",
    57: "HASH_REPORT", 59: "GUEST_HDRLEN", 60: "RSS", 62: "STANDBY", 63: "SPEED_DUPLEX",
  ]

  /// The names of the bits that are set, lowest first; `bit N` for one that has no name here.
  public var names: [String] {
    (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { Self.knownNames[$0] ?? "bit \($0)" }
  }
}
