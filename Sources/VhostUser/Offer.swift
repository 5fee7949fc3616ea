/// What a back end has to offer: what this kernel's vhost and tap can do together, found out before.
public struct Offer: Sendable, Hashable {
  /// GET_FEATURES. With PROTOCOL_FEATURES exactly where there are any.
  public let deviceFeatures: DeviceFeatures
  /// GET_PROTOCOL_FEATURES. None but those in ``ProtocolFeatures/implemented``.
  public let protocolFeatures: ProtocolFeatures
  /// How many queue pairs: 1 to 128, for a ring's index has eight bits.
  public let queuePairs: Int
  /// GET_MAX_MEM_SLOTS; at least 1. vhost's own limit is 64 (its `max_mem_regions`).
  public let maximumMemorySlots: Int
  /// The largest ring: a power of two up to 32768.
  public let maximumRingSize: Int
  /// The largest MTU that NET_SET_MTU may ask for: the tap's.
  public let mtu: UInt16
  /// What GET_CONFIG answers.
  public let config: NetConfig
  /// What GET_QUEUE_NUM counts.
  public let queueNumber: QueueNumber

  /// What GET_QUEUE_NUM counts. The specification says "queues". Cloud Hypervisor and crosvm compare the answer with
  /// their count of rings, QEMU and DPDK's virtio-user with theirs of pairs. So `rings` serves all of them, and a QEMU
  /// that was told more pairs than there are is refused at the first ring too many instead of by its own check.
  public enum QueueNumber: Sendable, Hashable {
    /// Two a pair.
    case rings
    /// One a pair.
    case pairs
  }

  /// Takes what is offered; a number out of range becomes the nearest in it.
  public init(
    deviceFeatures: DeviceFeatures, protocolFeatures: ProtocolFeatures, queuePairs: Int, maximumMemorySlots: Int = 64,
    maximumRingSize: Int = 32768, mtu: UInt16 = 65535, config: NetConfig, queueNumber: QueueNumber = .rings
  ) {
    let protocolFeatures = protocolFeatures.intersection(.implemented)
    self.protocolFeatures = protocolFeatures
    self.deviceFeatures =
      protocolFeatures.isEmpty
      ? deviceFeatures.subtracting(.protocolFeatures) : deviceFeatures.union(.protocolFeatures)
    self.queuePairs = min(max(queuePairs, 1), 128)
    self.maximumMemorySlots = max(maximumMemorySlots, 1)
    let size = UInt16(clamping: min(max(maximumRingSize, 1), 32768))
    self.maximumRingSize = 1 << (15 - size.leadingZeroBitCount)
    self.mtu = mtu
    self.config = config
    self.queueNumber = queueNumber
  }

  /// How many rings: two a pair, receive before transmit.
  public var ringCount: Int { 2 * queuePairs }
}
