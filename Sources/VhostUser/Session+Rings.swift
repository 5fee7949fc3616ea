extension Session {
  /// Where a ring's parts are in guest memory as it is now; nil while it has no addresses.
  public func places(ofRing index: Int) -> RingPlaces? {
    guard rings.indices.contains(index), let addresses = rings[index].addresses, let size = rings[index].size,
      let descriptors = place(.descriptors, of: addresses, size),
      let available = place(.available, of: addresses, size), let used = place(.used, of: addresses, size)
    else { return nil }
    return RingPlaces(
      descriptors: descriptors, available: available, used: used, usedLog: log == nil ? nil : addresses.usedLog)
  }

  private func place(_ part: RingPart, of addresses: RingAddresses, _ size: Int) -> MemoryPlace? {
    memory.place(ofUserAddress: addresses[part], byteCount: part.byteCount(ringSize: size))
  }

  /// SET_VRING_NUM. Another size makes the addresses void, since they were checked for the old one.
  internal mutating func setSize(of ring: UInt32, to size: Int) throws(ProtocolViolation) -> Action {
    let index = try index(ring)
    guard size <= offer.maximumRingSize else {
      throw .ringTooLarge(ring: index, size: size, maximum: offer.maximumRingSize)
    }
    guard !rings[index].isRunning else { throw .ringRunning(.setVringNum, ring: index) }
    if rings[index].size != size { rings[index].addresses = nil }
    rings[index].size = size
    return .setRing(index, .size(size))
  }

  /// SET_VRING_ADDR; also while the ring runs, to turn the logging of its used ring on and off.
  internal mutating func setAddresses(
    of ring: UInt32, to addresses: RingAddresses
  ) throws(ProtocolViolation) -> Action {
    let index = try index(ring)
    guard !memory.regions.isEmpty else { throw .memoryTableMissing(.setVringAddr) }
    guard let size = rings[index].size else { throw .ringSizeUnknown(ring: index) }
    if let part = addresses.partOutside(memory, ringSize: size) {
      throw .addressOutside(ring: index, part, addresses[part])
    }
    if let log { try addresses.checkLog(log, ring: index, ringSize: size) }
    rings[index].addresses = addresses
    guard let places = places(ofRing: index) else {
      throw .addressOutside(ring: index, .descriptors, addresses.descriptors)
    }
    return .setRing(index, .addresses(places))
  }

  internal mutating func setBase(of ring: UInt32, to base: UInt16) throws(ProtocolViolation) -> Action {
    let index = try index(ring)
    guard !rings[index].isRunning else { throw .ringRunning(.setVringBase, ring: index) }
    return .setRing(index, .base(base))
  }

  /// SET_VRING_ENABLE. Before SET_FEATURES it is enough that PROTOCOL_FEATURES was shown: QEMU sends it that early.
  internal mutating func enable(_ ring: UInt32, _ isEnabled: Bool) throws(ProtocolViolation) -> Action {
    guard (features ?? (hasShownFeatures ? offer.deviceFeatures : [])).contains(.protocolFeatures) else {
      throw .enableNotNegotiated
    }
    let index = try index(ring)
    rings[index].isEnabled = isEnabled
    return .enable(ring: index, isEnabled)
  }

  /// GET_VRING_BASE stops a ring, in whatever state it is. Its switch stays as it was.
  internal mutating func stop(_ ring: UInt32) throws(ProtocolViolation) -> Action {
    let index = try index(ring)
    rings[index].hasKick = false
    return .stop(ring: index)
  }
}
