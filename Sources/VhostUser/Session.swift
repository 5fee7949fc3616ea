/// A back end's side of one connection: takes messages, checks their order, and says what to do. A value; no I/O, and
/// descriptors only by their position.
///
/// The caller reads a header and as many bytes as it announces, has
/// ``FrontEndMessage/decode(header:payload:descriptorCount:)`` read them, gives the message to ``receive(_:)``, carries
/// the action out and answers:
///
///     action .reply                the bytes
///     action .stop                 replyBase(ring:base:)
///     any other action             acknowledgement(of:failed:), if it is not nil
///     a ProtocolViolation          refusal(of:because:)
///
/// **A refused message leaves the session as it was.** An action that the plane fails to carry out does not undo
/// itself: keep a copy from before ``receive(_:)``, put it back, and acknowledge with `failed: true`.
///
/// Violations of the frame (``ProtocolViolation/closesConnection``) close the connection. Every other only fails: where
/// REPLY_ACK was negotiated and the message has need_reply set, it is answered with a number that is not 0; GET_CONFIG
/// with an empty payload. A message that can be answered in no way closes too, for the front end would go on in the
/// belief that it was carried out. (The specification leaves closing to the back end, as an exception, and demands it
/// for INBAND_NOTIFICATIONS without its companions alone, which is never offered.)
///
/// What front ends are known to do, and what is therefore no violation: SET_FEATURES and SET_PROTOCOL_FEATURES once for
/// each pair (QEMU); SET_VRING_ENABLE before SET_FEATURES (QEMU); RESET_OWNER and then going on, with another SET_OWNER
/// or without (Cloud Hypervisor); LOG_ALL before SET_LOG_BASE (QEMU that starts a device while it migrates).
public struct Session: Sendable, Hashable {
  /// What was offered.
  public let offer: Offer
  /// Whether SET_OWNER came.
  public internal(set) var isOwned = false
  /// Whether GET_FEATURES was answered: from then on the front end may know of PROTOCOL_FEATURES.
  public internal(set) var hasShownFeatures = false
  /// SET_FEATURES; nil before it and after a reset. A subset of the offer.
  public internal(set) var features: DeviceFeatures?
  /// SET_PROTOCOL_FEATURES; a subset of the offer.
  public internal(set) var protocolFeatures: ProtocolFeatures = []
  /// Guest memory; empty before the first table.
  public internal(set) var memory = GuestMemory()
  /// The rings, by their index in the device.
  public internal(set) var rings: [Ring]
  /// The dirty log; nil before SET_LOG_BASE, and again when LOG_ALL is taken back.
  public internal(set) var log: LogArea?
  /// SET_STATUS.
  public internal(set) var status: UInt8 = 0
  /// The configuration, as GET_CONFIG answers it.
  public internal(set) var config: NetConfig

  /// A connection on which nothing was said yet.
  public init(offer: Offer) {
    self.offer = offer
    rings = Array(repeating: Ring(), count: offer.ringCount)
    config = offer.config
  }

  /// Whether the dirty log is in force: LOG_ALL is negotiated and there is a log. While it is not, vhost may have
  /// neither LOG_ALL nor VHOST_VRING_F_LOG: without a log it would count its bits from address 0 of this process.
  ///
  /// While there is a log it covers all of guest memory and every used ring's log address. The kernel checks neither
  /// against the log's length (`set_bit_to_user` in drivers/vhost/vhost.c), so a front end could otherwise set bits
  /// anywhere in this process.
  public var isLogging: Bool { features?.contains(.logAll) == true && log != nil }

  /// Checks a message against the session and says what to do about it.
  public mutating func receive(_ message: FrontEndMessage) throws(ProtocolViolation) -> Action {
    var next = self
    let action = try next.apply(message)
    self = next
    return action
  }

  private mutating func apply(_ message: FrontEndMessage) throws(ProtocolViolation) -> Action {
    try checkLicence(of: message.request)
    switch message {
    case .getFeatures:
      hasShownFeatures = true
      return answer(message, .number(offer.deviceFeatures.rawValue))
    case .setFeatures(let features): return try setFeatures(features)
    case .setOwner:
      isOwned = true
      return .none
    case .resetOwner:
      for index in rings.indices { rings[index].isEnabled = false }
      return .disableRings
    case .getProtocolFeatures: return answer(message, .number(offer.protocolFeatures.rawValue))
    case .setProtocolFeatures(let features):
      guard features.isSubset(of: offer.protocolFeatures) else {
        throw .protocolFeaturesNotOffered(features.subtracting(offer.protocolFeatures))
      }
      protocolFeatures = features
      return .none
    case .getQueueNum:
      let number = offer.queueNumber == .rings ? offer.ringCount : offer.queuePairs
      return answer(message, .number(UInt64(number)))
    case .setMemTable(let regions): return try setMemory(regions)
    case .addMemReg(let region): return try add(region)
    case .remMemReg(let region): return try remove(region)
    case .getMaxMemSlots: return answer(message, .number(UInt64(offer.maximumMemorySlots)))
    case .setLogBase(let area): return try setLog(area)
    case .setLogFD: return .setLogEvent
    case .setVringNum(let ring, let size): return try setSize(of: ring, to: size)
    case .setVringAddr(let ring, let addresses): return try setAddresses(of: ring, to: addresses)
    case .setVringBase(let ring, let base): return try setBase(of: ring, to: base)
    case .getVringBase(let ring): return try stop(ring)
    case .setVringKick(let file):
      let index = try index(UInt32(file.ring))
      rings[index].hasKick = true
      return .setRing(index, .kick(descriptor: file.hasDescriptor ? 0 : nil))
    case .setVringCall(let file):
      return .setRing(try index(UInt32(file.ring)), .call(descriptor: file.hasDescriptor ? 0 : nil))
    case .setVringErr(let file):
      return .setRing(try index(UInt32(file.ring)), .error(descriptor: file.hasDescriptor ? 0 : nil))
    case .setVringEnable(let ring, let isEnabled): return try enable(ring, isEnabled)
    case .sendRARP(let address): return .sendRARP(address)
    case .netSetMTU(let mtu):
      guard offer.deviceFeatures.contains(.mtu) else { throw .deviceFeatureMissing(.netSetMTU, .mtu) }
      guard mtu <= offer.mtu else { throw .mtuTooLarge(mtu, maximum: offer.mtu) }
      return .setMTU(mtu)
    case .setBackendReqFD: return .setBackEndChannel
    case .getConfig(let access):
      let bytes = config.read(access.offset, count: access.bytes.count)
      return answer(message, .config(ConfigAccess(offset: access.offset, flags: access.flags, bytes: bytes)))
    case .setConfig(let access): return try setConfig(access)
    case .resetDevice: return reset()
    case .setStatus(let status):
      guard status != 0 else { return reset() }
      self.status = status
      return .none
    case .getStatus: return answer(message, .number(UInt64(status)))
    }
  }

  private func answer(_ message: FrontEndMessage, _ reply: BackEndReply) -> Action {
    .reply(reply.encoded(replyTo: message.request))
  }

  /// What must have been negotiated, and said, before a request.
  private func checkLicence(of request: FrontEndRequest) throws(ProtocolViolation) {
    switch request {
    case .getProtocolFeatures, .setProtocolFeatures, .getQueueNum:
      guard hasShownFeatures, offer.deviceFeatures.contains(.protocolFeatures) else {
        throw .protocolFeaturesUnseen(request)
      }
    case .setFeatures, .setMemTable, .addMemReg, .remMemReg, .setLogBase, .setLogFD, .setVringNum, .setVringAddr,
      .setVringBase, .getVringBase, .setVringKick, .setVringCall, .setVringErr, .setVringEnable, .sendRARP, .netSetMTU,
      .setConfig, .resetDevice, .setStatus:
      guard isOwned else { throw .notOwned(request) }
    default: break
    }
    if request == .getQueueNum {
      guard offer.protocolFeatures.contains(.multiQueue) else { throw .protocolFeatureMissing(request, .multiQueue) }
    } else if let feature = request.protocolFeature, !protocolFeatures.contains(feature) {
      throw .protocolFeatureMissing(request, feature)
    }
  }

  /// The index of a ring that the device has.
  internal func index(_ ring: UInt32) throws(ProtocolViolation) -> Int {
    guard let index = Int(exactly: ring), rings.indices.contains(index) else {
      throw .ringIndex(ring, ringCount: rings.count)
    }
    return index
  }
}

extension FrontEndRequest {
  /// The protocol feature without which the request may not be sent.
  internal var protocolFeature: ProtocolFeatures? {
    switch self {
    case .setLogBase, .setLogFD: .logSharedMemory
    case .sendRARP: .rarp
    case .netSetMTU: .mtu
    case .setBackendReqFD: .backEndRequests
    case .getConfig, .setConfig: .config
    case .resetDevice: .resetDevice
    case .getMaxMemSlots, .addMemReg, .remMemReg: .configureMemorySlots
    case .setStatus, .getStatus: .status
    default: nil
    }
  }
}
