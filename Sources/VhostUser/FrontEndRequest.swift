/// The numbers of the requests that a front end sends (vhost-user specification, "Front-end message types"), whatever
/// the device: one that is in the specification and not for a net device is refused by its name.
public enum FrontEndRequest: UInt32, Sendable, CaseIterable {
  /// VHOST_USER_GET_FEATURES
  case getFeatures = 1
  /// VHOST_USER_SET_FEATURES
  case setFeatures = 2
  /// VHOST_USER_SET_OWNER
  case setOwner = 3
  /// VHOST_USER_RESET_OWNER, deprecated
  case resetOwner = 4
  /// VHOST_USER_SET_MEM_TABLE
  case setMemTable = 5
  /// VHOST_USER_SET_LOG_BASE
  case setLogBase = 6
  /// VHOST_USER_SET_LOG_FD
  case setLogFD = 7
  /// VHOST_USER_SET_VRING_NUM
  case setVringNum = 8
  /// VHOST_USER_SET_VRING_ADDR
  case setVringAddr = 9
  /// VHOST_USER_SET_VRING_BASE
  case setVringBase = 10
  /// VHOST_USER_GET_VRING_BASE
  case getVringBase = 11
  /// VHOST_USER_SET_VRING_KICK
  case setVringKick = 12
  /// VHOST_USER_SET_VRING_CALL
  case setVringCall = 13
  /// VHOST_USER_SET_VRING_ERR
  case setVringErr = 14
  /// VHOST_USER_GET_PROTOCOL_FEATURES
  case getProtocolFeatures = 15
  /// VHOST_USER_SET_PROTOCOL_FEATURES
  case setProtocolFeatures = 16
  /// VHOST_USER_GET_QUEUE_NUM
  case getQueueNum = 17
  /// VHOST_USER_SET_VRING_ENABLE
  case setVringEnable = 18
  /// VHOST_USER_SEND_RARP
  case sendRARP = 19
  /// VHOST_USER_NET_SET_MTU
  case netSetMTU = 20
  /// VHOST_USER_SET_BACKEND_REQ_FD
  case setBackendReqFD = 21
  /// VHOST_USER_IOTLB_MSG
  case iotlbMsg = 22
  /// VHOST_USER_SET_VRING_ENDIAN
  case setVringEndian = 23
  /// VHOST_USER_GET_CONFIG
  case getConfig = 24
  /// VHOST_USER_SET_CONFIG
  case setConfig = 25
  /// VHOST_USER_CREATE_CRYPTO_SESSION
  case createCryptoSession = 26
  /// VHOST_USER_CLOSE_CRYPTO_SESSION
  case closeCryptoSession = 27
  /// VHOST_USER_POSTCOPY_ADVISE
  case postcopyAdvise = 28
  /// VHOST_USER_POSTCOPY_LISTEN
  case postcopyListen = 29
  /// VHOST_USER_POSTCOPY_END
  case postcopyEnd = 30
  /// VHOST_USER_GET_INFLIGHT_FD
  case getInflightFD = 31
  /// VHOST_USER_SET_INFLIGHT_FD
  case setInflightFD = 32
  /// VHOST_USER_GPU_SET_SOCKET
  case gpuSetSocket = 33
  /// VHOST_USER_RESET_DEVICE
  case resetDevice = 34
  /// VHOST_USER_VRING_KICK
  case vringKick = 35
  /// VHOST_USER_GET_MAX_MEM_SLOTS
  case getMaxMemSlots = 36
  /// VHOST_USER_ADD_MEM_REG
  case addMemReg = 37
  /// VHOST_USER_REM_MEM_REG
  case remMemReg = 38
  /// VHOST_USER_SET_STATUS
  case setStatus = 39
  /// VHOST_USER_GET_STATUS
  case getStatus = 40
  /// VHOST_USER_GET_SHARED_OBJECT
  case getSharedObject = 41
  /// VHOST_USER_SET_DEVICE_STATE_FD
  case setDeviceStateFD = 42
  /// VHOST_USER_CHECK_DEVICE_STATE
  case checkDeviceState = 43
  /// VHOST_USER_GET_SHMEM_CONFIG
  case getShmemConfig = 44

  /// The name without its prefix `VHOST_USER_`.
  public var name: String {
    switch self {
    case .getFeatures: "GET_FEATURES"
    case .setFeatures: "SET_FEATURES"
    case .setOwner: "SET_OWNER"
    case .resetOwner: "RESET_OWNER"
    case .setMemTable: "SET_MEM_TABLE"
    case .setLogBase: "SET_LOG_BASE"
    case .setLogFD: "SET_LOG_FD"
    case .setVringNum: "SET_VRING_NUM"
    case .setVringAddr: "SET_VRING_ADDR"
    case .setVringBase: "SET_VRING_BASE"
    case .getVringBase: "GET_VRING_BASE"
    case .setVringKick: "SET_VRING_KICK"
    case .setVringCall: "SET_VRING_CALL"
    case .setVringErr: "SET_VRING_ERR"
    case .getProtocolFeatures: "GET_PROTOCOL_FEATURES"
    case .setProtocolFeatures: "SET_PROTOCOL_FEATURES"
    case .getQueueNum: "GET_QUEUE_NUM"
    case .setVringEnable: "SET_VRING_ENABLE"
    case .sendRARP: "SEND_RARP"
    case .netSetMTU: "NET_SET_MTU"
    case .setBackendReqFD: "SET_BACKEND_REQ_FD"
    case .iotlbMsg: "IOTLB_MSG"
    case .setVringEndian: "SET_VRING_ENDIAN"
    case .getConfig: "GET_CONFIG"
    case .setConfig: "SET_CONFIG"
    case .createCryptoSession: "CREATE_CRYPTO_SESSION"
    case .closeCryptoSession: "CLOSE_CRYPTO_SESSION"
    case .postcopyAdvise: "POSTCOPY_ADVISE"
    case .postcopyListen: "POSTCOPY_LISTEN"
    case .postcopyEnd: "POSTCOPY_END"
    case .getInflightFD: "GET_INFLIGHT_FD"
    case .setInflightFD: "SET_INFLIGHT_FD"
    case .gpuSetSocket: "GPU_SET_SOCKET"
    case .resetDevice: "RESET_DEVICE"
    case .vringKick: "VRING_KICK"
    case .getMaxMemSlots: "GET_MAX_MEM_SLOTS"
    case .addMemReg: "ADD_MEM_REG"
    case .remMemReg: "REM_MEM_REG"
    case .setStatus: "SET_STATUS"
    case .getStatus: "GET_STATUS"
    case .getSharedObject: "GET_SHARED_OBJECT"
    case .setDeviceStateFD: "SET_DEVICE_STATE_FD"
    case .checkDeviceState: "CHECK_DEVICE_STATE"
    case .getShmemConfig: "GET_SHMEM_CONFIG"
    }
  }

  /// Whether the request asks for something, so that its answer is more than an acknowledgement and REPLY_ACK changes
  /// nothing about it.
  internal var hasReplyOfItsOwn: Bool {
    switch self {
    case .getFeatures, .getProtocolFeatures, .getVringBase, .getQueueNum, .getConfig, .getMaxMemSlots, .getStatus,
      .iotlbMsg, .createCryptoSession, .postcopyAdvise, .postcopyEnd, .getInflightFD, .getSharedObject,
      .setDeviceStateFD, .checkDeviceState, .getShmemConfig:
      true
    default: false
    }
  }
}
