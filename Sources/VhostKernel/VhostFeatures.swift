/// The feature bits of VHOST_GET_FEATURES and VHOST_SET_FEATURES: virtio's (1.2 §5.1.3, §6) where they concern the rings,
/// and vhost's own.
public struct VhostFeatures: OptionSet, Sendable, Hashable {
  /// The 64 bits.
  public let rawValue: UInt64

  /// Any bits.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  private init(bit: UInt64) {
    rawValue = 1 << bit
  }

  /// VIRTIO_NET_F_MRG_RXBUF: a frame may fill several receive buffers, and the header has 12 bytes.
  public static let mergeableReceiveBuffers = VhostFeatures(bit: 15)
  /// VIRTIO_F_NOTIFY_ON_EMPTY.
  public static let notifyOnEmpty = VhostFeatures(bit: 24)
  /// VHOST_F_LOG_ALL: pages that the device writes are marked in the dirty log.
  public static let logAll = VhostFeatures(bit: 26)
  /// VHOST_NET_F_VIRTIO_NET_HDR: vhost, not the tap, makes the header. To a guest the same bit is VIRTIO_F_ANY_LAYOUT,
  /// so a guest's features are never passed on as they are.
  public static let vhostNetHeader = VhostFeatures(bit: 27)
  /// VIRTIO_RING_F_INDIRECT_DESC.
  public static let indirectDescriptors = VhostFeatures(bit: 28)
  /// VIRTIO_RING_F_EVENT_IDX.
  public static let eventIndex = VhostFeatures(bit: 29)
  /// VIRTIO_F_VERSION_1.
  public static let version1 = VhostFeatures(bit: 32)
  /// VIRTIO_F_ACCESS_PLATFORM.
  public static let accessPlatform = VhostFeatures(bit: 33)
  /// VIRTIO_F_IN_ORDER.
  public static let inOrder = VhostFeatures(bit: 35)
  /// VIRTIO_F_RING_RESET.
  public static let ringReset = VhostFeatures(bit: 40)

  private static let knownNames: [(VhostFeatures, String)] = [
    (.mergeableReceiveBuffers, "MRG_RXBUF"), (.notifyOnEmpty, "NOTIFY_ON_EMPTY"), (.logAll, "LOG_ALL"),
    (.vhostNetHeader, "VHOST_NET_HDR"), (.indirectDescriptors, "INDIRECT_DESC"), (.eventIndex, "EVENT_IDX"),
    (.version1, "VERSION_1"), (.accessPlatform, "ACCESS_PLATFORM"), (.inOrder, "IN_ORDER"), (.ringReset, "RING_RESET"),
  ]

  /// The names of the bits that are set, lowest first; `bit N` for one that has no name here.
  public var names: [String] {
    (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { bit in
      Self.knownNames.first { $0.0.rawValue == 1 << UInt64(bit) }?.1 ?? "bit \(bit)"
    }
  }
}
