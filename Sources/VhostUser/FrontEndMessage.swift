/// A request of a front end: what `decode(header:payload:descriptorCount:)` makes of bytes, checked as far as one
/// message can be by itself. Its place in the session is checked by ``Session``.
///
/// Descriptors are spoken of by their position in the message, which is fixed: region *i* of the table is in descriptor
/// *i*; every other request that brings one brings it at position 0.
public enum FrontEndMessage: Sendable, Hashable {
  /// GET_FEATURES
  case getFeatures
  /// SET_FEATURES
  case setFeatures(DeviceFeatures)
  /// SET_OWNER
  case setOwner
  /// RESET_OWNER
  case resetOwner
  /// SET_MEM_TABLE: 1 to 8 regions that do not overlap, a descriptor each.
  case setMemTable([MemoryRegion])
  /// SET_LOG_BASE, with the log's memory in its descriptor.
  case setLogBase(LogArea)
  /// SET_LOG_FD: an eventfd in its descriptor.
  case setLogFD
  /// SET_VRING_NUM: a power of two up to 32768.
  case setVringNum(ring: UInt32, size: Int)
  /// SET_VRING_ADDR
  case setVringAddr(ring: UInt32, RingAddresses)
  /// SET_VRING_BASE of a split ring
  case setVringBase(ring: UInt32, base: UInt16)
  /// GET_VRING_BASE. The payload's other word is reserved; some front ends leave it as it was, so it is not looked at.
  case getVringBase(ring: UInt32)
  /// SET_VRING_KICK
  case setVringKick(VringFile)
  /// SET_VRING_CALL
  case setVringCall(VringFile)
  /// SET_VRING_ERR
  case setVringErr(VringFile)
  /// GET_PROTOCOL_FEATURES
  case getProtocolFeatures
  /// SET_PROTOCOL_FEATURES
  case setProtocolFeatures(ProtocolFeatures)
  /// GET_QUEUE_NUM
  case getQueueNum
  /// SET_VRING_ENABLE
  case setVringEnable(ring: UInt32, isEnabled: Bool)
  /// SEND_RARP: the guest's six bytes of address.
  case sendRARP([UInt8])
  /// NET_SET_MTU: 68 or more.
  case netSetMTU(UInt16)
  /// SET_BACKEND_REQ_FD: a socket in its descriptor.
  case setBackendReqFD
  /// GET_CONFIG: as many bytes as are asked for.
  case getConfig(ConfigAccess)
  /// SET_CONFIG
  case setConfig(ConfigAccess)
  /// RESET_DEVICE
  case resetDevice
  /// GET_MAX_MEM_SLOTS
  case getMaxMemSlots
  /// ADD_MEM_REG, with the region's memory in its descriptor.
  case addMemReg(MemoryRegion)
  /// REM_MEM_REG. A descriptor may come along from front ends that do not know better; it is closed unused.
  case remMemReg(MemoryRegion)
  /// SET_STATUS: virtio's device status.
  case setStatus(UInt8)
  /// GET_STATUS
  case getStatus

  /// The request it is.
  public var request: FrontEndRequest {
    switch self {
    case .getFeatures: .getFeatures
    case .setFeatures: .setFeatures
    case .setOwner: .setOwner
    case .resetOwner: .resetOwner
    case .setMemTable: .setMemTable
    case .setLogBase: .setLogBase
    case .setLogFD: .setLogFD
    case .setVringNum: .setVringNum
    case .setVringAddr: .setVringAddr
    case .setVringBase: .setVringBase
    case .getVringBase: .getVringBase
    case .setVringKick: .setVringKick
    case .setVringCall: .setVringCall
    case .setVringErr: .setVringErr
    case .getProtocolFeatures: .getProtocolFeatures
    case .setProtocolFeatures: .setProtocolFeatures
    case .getQueueNum: .getQueueNum
    case .setVringEnable: .setVringEnable
    case .sendRARP: .sendRARP
    case .netSetMTU: .netSetMTU
    case .setBackendReqFD: .setBackendReqFD
    case .getConfig: .getConfig
    case .setConfig: .setConfig
    case .resetDevice: .resetDevice
    case .getMaxMemSlots: .getMaxMemSlots
    case .addMemReg: .addMemReg
    case .remMemReg: .remMemReg
    case .setStatus: .setStatus
    case .getStatus: .getStatus
    }
  }

  /// How many regions SET_MEM_TABLE has at most.
  public static let maximumTableRegions = 8

  /// How many descriptors the longest message brings: what a receiver must have room for.
  public static let maximumDescriptors = maximumTableRegions

  /// How many descriptors the message brings.
  public var descriptorCount: Int {
    switch self {
    case .setMemTable(let regions): regions.count
    case .setVringKick(let file), .setVringCall(let file), .setVringErr(let file): file.hasDescriptor ? 1 : 0
    case .setLogBase, .setLogFD, .setBackendReqFD, .addMemReg: 1
    default: 0
    }
  }
}
