/// The bits of GET_PROTOCOL_FEATURES and SET_PROTOCOL_FEATURES (vhost-user specification, "Protocol features").
public struct ProtocolFeatures: OptionSet, Sendable, Hashable {
  /// The 64 bits.
  public let rawValue: UInt64

  /// Any bits.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  private init(bit: UInt64) {
    rawValue = 1 << bit
  }

  /// MQ: GET_QUEUE_NUM.
  public static let multiQueue = ProtocolFeatures(bit: 0)
  /// LOG_SHMFD: SET_LOG_BASE brings the dirty log's memory.
  public static let logSharedMemory = ProtocolFeatures(bit: 1)
  /// RARP: SEND_RARP.
  public static let rarp = ProtocolFeatures(bit: 2)
  /// REPLY_ACK: need_reply is answered.
  public static let replyAck = ProtocolFeatures(bit: 3)
  /// MTU: NET_SET_MTU.
  public static let mtu = ProtocolFeatures(bit: 4)
  /// BACKEND_REQ: SET_BACKEND_REQ_FD.
  public static let backEndRequests = ProtocolFeatures(bit: 5)
  /// CONFIG: GET_CONFIG, SET_CONFIG.
  public static let config = ProtocolFeatures(bit: 9)
  /// INFLIGHT_SHMFD. The kernel's vhost-net uses buffers in order and keeps no such state: never offered.
  public static let inflightSharedMemory = ProtocolFeatures(bit: 12)
  /// RESET_DEVICE.
  public static let resetDevice = ProtocolFeatures(bit: 13)
  /// INBAND_NOTIFICATIONS. Kicks go from the guest to the kernel: never offered.
  public static let inbandNotifications = ProtocolFeatures(bit: 14)
  /// CONFIGURE_MEM_SLOTS: GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG.
  public static let configureMemorySlots = ProtocolFeatures(bit: 15)
  /// STATUS: SET_STATUS, GET_STATUS.
  public static let status = ProtocolFeatures(bit: 16)

  /// What ``Session`` knows how to do; an ``Offer`` has no more.
  public static let implemented: ProtocolFeatures = [
    .multiQueue, .logSharedMemory, .rarp, .replyAck, .mtu, .backEndRequests, .config, .resetDevice,
    .configureMemorySlots, .status,
  ]

  private static let knownNames = [
    "MQ", "LOG_SHMFD", "RARP", "REPLY_ACK", "MTU", "BACKEND_REQ", "CROSS_ENDIAN", "CRYPTO_SESSION", "PAGEFAULT",
    "CONFIG", "BACKEND_SEND_FD", "HOST_NOTIFIER", "INFLIGHT_SHMFD", "RESET_DEVICE", "INBAND_NOTIFICATIONS",
    "CONFIGURE_MEM_SLOTS", "STATUS", "XEN_MMAP", "SHARED_OBJECT", "DEVICE_STATE", "SHMEM",
  ]

  /// The names of the bits that are set, lowest first; `bit N` for one that has no name here.
  public var names: [String] {
    (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { bit in
      Self.knownNames.indices.contains(bit) ? Self.knownNames[bit] : "bit \(bit)"
    }
  }
}
