extension Session {
  internal mutating func setMemory(_ regions: [MemoryRegion]) throws(ProtocolViolation) -> Action {
    try replaceMemory(with: GuestMemory(regions))
    return .setMemoryTable(regions)
  }

  internal mutating func add(_ region: MemoryRegion) throws(ProtocolViolation) -> Action {
    if memory.addAgain(region) { return .none }
    var table = memory
    try table.add(region)
    try replaceMemory(with: table)
    return .addRegion(region)
  }

  internal mutating func remove(_ region: MemoryRegion) throws(ProtocolViolation) -> Action {
    guard !memory.regions.isEmpty else { throw .memoryTableMissing(.remMemReg) }
    if memory.removeAgain(region) { return .none }
    var table = memory
    let index = try table.remove(region)
    let removed = memory.regions[index]
    try replaceMemory(with: table)
    return .removeRegion(removed, index: index)
  }

  /// Keeps what runs in memory and what is logged within the log; the addresses of a ring that does not run are
  /// forgotten if the table no longer has them.
  private mutating func replaceMemory(with table: GuestMemory) throws(ProtocolViolation) {
    let count = table.regions.count
    guard count <= offer.maximumMemorySlots else {
      throw .slotsExceeded(count: count, maximum: offer.maximumMemorySlots)
    }
    if let log { try check(log, covers: table) }
    for index in rings.indices {
      guard let addresses = rings[index].addresses, let size = rings[index].size else { continue }
      guard let part = addresses.partOutside(table, ringSize: size) else { continue }
      guard !rings[index].isRunning else { throw .regionInUse(ring: index, part) }
      rings[index].addresses = nil
    }
    memory = table
  }

  /// SET_LOG_BASE: the log must reach as far as guest memory does, and as every used ring is logged.
  internal mutating func setLog(_ area: LogArea) throws(ProtocolViolation) -> Action {
    try check(area, covers: memory)
    for (index, ring) in rings.enumerated() {
      guard let addresses = ring.addresses, let size = ring.size else { continue }
      try addresses.checkLog(area, ring: index, ringSize: size)
    }
    log = area
    return .setLog(area)
  }

  private func check(_ log: LogArea, covers table: GuestMemory) throws(ProtocolViolation) {
    guard log.byteCount >= table.logByteCount else {
      throw .logTooSmall(needed: table.logByteCount, got: log.byteCount)
    }
  }
}

extension RingAddresses {
  /// The parts with their addresses.
  private var parts: [(RingPart, UInt64)] {
    [(.descriptors, descriptors), (.available, available), (.used, used)]
  }

  /// The first part that is not wholly in one region of the table.
  internal func partOutside(_ table: GuestMemory, ringSize: Int) -> RingPart? {
    parts.first { part, address in
      table.place(ofUserAddress: address, byteCount: part.byteCount(ringSize: ringSize)) == nil
    }?.0
  }

  /// The address of a part.
  internal subscript(part: RingPart) -> UInt64 {
    switch part {
    case .descriptors: descriptors
    case .available: available
    case .used: used
    }
  }

  /// Refuses a used ring whose last byte is logged past the log's end.
  internal func checkLog(_ log: LogArea, ring: Int, ringSize: Int) throws(ProtocolViolation) {
    guard let usedLog else { return }
    let (last, overflow) = usedLog.addingReportingOverflow(RingPart.used.byteCount(ringSize: ringSize) - 1)
    guard !overflow, LogArea.byteCount(coveringTo: last) <= log.byteCount else {
      throw .usedLogOutside(ring: ring, address: usedLog)
    }
  }
}
