extension Session {
  /// SET_FEATURES. Only LOG_ALL may change under a running ring: the others decide how a frame looks.
  internal mutating func setFeatures(_ new: DeviceFeatures) throws(ProtocolViolation) -> Action {
    guard new.isSubset(of: offer.deviceFeatures) else {
      throw .featuresNotOffered(new.subtracting(offer.deviceFeatures))
    }
    let old = features ?? []
    if let running = rings.firstIndex(where: \.isRunning),
      !old.symmetricDifference(new).isSubset(of: [.logAll, .protocolFeatures])
    {
      throw .featuresWhileRunning(ring: running)
    }
    if old.contains(.logAll), !new.contains(.logAll) { log = nil }
    features = new
    if !new.contains(.protocolFeatures) {
      for index in rings.indices { rings[index].isEnabled = true }
    }
    return .setFeatures(new)
  }

  /// SET_CONFIG. The driver may write `mac`, and only as long as the device may be a legacy one (virtio 1.2 §5.1.4);
  /// a migration may write everything.
  internal mutating func setConfig(_ access: ConfigAccess) throws(ProtocolViolation) -> Action {
    let end = Int(access.offset) + access.bytes.count
    let isLegacy = features?.contains(.version1) == false
    guard access.isMigration || (isLegacy && end <= NetConfig.mac.upperBound) else {
      throw .configReadOnly(offset: access.offset)
    }
    config.write(access.bytes, at: access.offset)
    return .none
  }

  /// RESET_DEVICE and status 0: as at the start, but for the owner, what was negotiated of the protocol, and memory, of
  /// which a front end with memory slots sends only what has changed. Where the rings have stopped can still be asked.
  internal mutating func reset() -> Action {
    rings = Array(repeating: Ring(), count: offer.ringCount)
    features = nil
    log = nil
    status = 0
    config = offer.config
    return .reset
  }
}
