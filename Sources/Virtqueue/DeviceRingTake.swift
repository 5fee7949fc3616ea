public import LinuxIO
public import Synchronization

extension DeviceRing {
  /// Takes up to so many chains of which the device reads every byte, and says how many: 0 if none is available, or the queue
  /// is full.
  ///
  /// Chains that were taken before one that throws are in the queue.
  @inlinable @inline(__always)
  public mutating func takeReadable(into queue: inout ChainQueue, upTo limit: Int) throws(RingViolation) -> Int {
    try take(into: &queue, upTo: limit, flag: 0)
  }

  /// Takes up to so many chains of which the device writes every byte, and says how many.
  @inlinable @inline(__always)
  public mutating func takeWritable(into queue: inout ChainQueue, upTo limit: Int) throws(RingViolation) -> Int {
    try take(into: &queue, upTo: limit, flag: Descriptor.deviceWrites)
  }

  /// For mergeable buffers: takes chains for the device to write until those in the queue have so many bytes. False if fewer are
  /// available, which stay in the queue: the next call goes on from there.
  ///
  /// If true, the queue's segments are not more than ``IOVector/maximumCount``.
  @inlinable @inline(__always)
  public mutating func takeWritable(
    into queue: inout ChainQueue, byteCount: Int
  ) throws(RingViolation) -> Bool {
    while queue.byteCount < byteCount {
      guard queue.count < queue.capacity else { throw violation(.buffersTooSmall) }
      guard try take(into: &queue, upTo: 1, flag: Descriptor.deviceWrites) == 1 else { return false }
      guard unsafe queue.segments.count <= IOVector.maximumCount else { throw violation(.buffersTooSmall) }
    }
    return true
  }

  /// Puts back all that is in the queue, which was taken last and of which nothing was used: it is available again.
  @inlinable
  public mutating func giveBack(_ queue: inout ChainQueue) {
    nextAvailable &-= UInt16(truncatingIfNeeded: queue.count)
    queue.removeAll()
    if violated { availableIndex = nextAvailable }
  }

  @inlinable @inline(__always)
  internal mutating func take(
    into queue: inout ChainQueue, upTo limit: Int, flag: UInt16
  ) throws(RingViolation) -> Int {
    let count = min(try known(), limit)
    var taken = 0
    while taken < count, queue.reserve() {
      let slot = Int(nextAvailable & mask)
      let head = unsafe Self.word(availableRing + (4 &+ 2 &* slot)).pointee.load(ordering: .relaxed)
      guard head <= mask else { throw violation(.head) }
      let descriptor = unsafe Self.read(table + 16 &* Int(head))
      // One descriptor in one region, the usual case; the chain's walk has all the checks that may fail here.
      if descriptor.flags == flag, descriptor.length != 0, Int(descriptor.length) <= Self.maximumFrame,
        let place = memory.locate(descriptor.address), UInt64(descriptor.length) <= place.run
      {
        unsafe queue.vectors[queue.endVector] = IOVector(base: place.base, byteCount: Int(descriptor.length))
        queue.append(head: head, segmentCount: 1, byteCount: Int(descriptor.length))
      } else {
        try walk(from: descriptor, head: head, into: &queue, flag: flag)
      }
      nextAvailable &+= 1
      taken &+= 1
    }
    return taken
  }

  /// A descriptor, of which the guest may change either half at any time: each is read once.
  @inlinable @inline(__always)
  internal static func read(_ place: UnsafeMutableRawPointer) -> Descriptor {
    let address = unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed)
    let rest = unsafe (place + 8).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed)
    return Descriptor(
      address: address, length: UInt32(truncatingIfNeeded: rest), flags: UInt16(truncatingIfNeeded: rest >> 32),
      next: UInt16(truncatingIfNeeded: rest >> 48))
  }

  /// Any chain, from its first descriptor on, which has been read.
  @usableFromInline @inline(never)
  internal mutating func walk(
    from first: Descriptor, head: UInt16, into queue: inout ChainQueue, flag: UInt16
  ) throws(RingViolation) {
    var chain = Walk()
    var descriptor = first
    // How many more descriptors the ring has.
    var left = mask
    while descriptor.flags & Descriptor.indirect == 0 {
      try add(descriptor, to: &chain, of: &queue, flag: flag)
      guard descriptor.flags & Descriptor.hasNext != 0 else {
        return queue.append(head: head, segmentCount: chain.segmentCount, byteCount: chain.byteCount)
      }
      guard descriptor.next <= mask else { throw violation(.next) }
      guard left > 0 else { throw violation(.chainTooLong) }
      left &-= 1
      descriptor = unsafe Self.read(table + 16 &* Int(descriptor.next))
    }
    try addTable(descriptor, to: &chain, of: &queue, flag: flag)
    queue.append(head: head, segmentCount: chain.segmentCount, byteCount: chain.byteCount)
  }

  /// A table of indirect descriptors, with which a chain ends (virtio 1.2 §2.7.5.3).
  private mutating func addTable(
    _ table: Descriptor, to chain: inout Walk, of queue: inout ChainQueue, flag: UInt16
  ) throws(RingViolation) {
    guard features.contains(.indirectDescriptors) else { throw violation(.indirectNotNegotiated) }
    guard table.flags & Descriptor.hasNext == 0 else { throw violation(.indirectChained) }
    let count = table.length / 16
    guard table.length % 16 == 0, (1...32768).contains(count) else { throw violation(.indirectLength) }
    guard table.address <= .max - UInt64(table.length) else { throw violation(.addressWraps) }
    // Where the next descriptor is here, and how much of the table follows without a gap.
    var index: UInt32 = 0
    for _ in 0..<count {
      let address = table.address &+ 16 &* UInt64(index)
      guard let place = memory.locate(address), place.run >= 16 else { throw violation(.outsideMemory) }
      let descriptor = unsafe address % 8 == 0 ? Self.read(place.base) : Self.readUnaligned(place.base)
      guard descriptor.flags & Descriptor.indirect == 0 else { throw violation(.indirectNested) }
      try add(descriptor, to: &chain, of: &queue, flag: flag)
      guard descriptor.flags & Descriptor.hasNext != 0 else { return }
      guard descriptor.next < count else { throw violation(.next) }
      index = UInt32(descriptor.next)
    }
    throw violation(.chainTooLong)
  }

  /// What a walk has behind it.
  private struct Walk {
    var segmentCount = 0
    var byteCount = 0
    var wasWritable = false
  }

  private mutating func add(
    _ descriptor: Descriptor, to chain: inout Walk, of queue: inout ChainQueue, flag: UInt16
  ) throws(RingViolation) {
    let isWritable = descriptor.flags & Descriptor.deviceWrites != 0
    if isWritable, flag == 0 { throw violation(.writableInTransmit) }
    if !isWritable, flag != 0 { throw violation(chain.wasWritable ? .readableAfterWritable : .readableInReceive) }
    chain.wasWritable = isWritable
    guard descriptor.length > 0 else { throw violation(.emptyDescriptor) }
    guard descriptor.address <= .max - UInt64(descriptor.length) else { throw violation(.addressWraps) }
    chain.byteCount &+= Int(descriptor.length)
    guard isWritable || chain.byteCount <= Self.maximumFrame else { throw violation(.frameTooLong) }
    var address = descriptor.address
    var left = UInt64(descriptor.length)
    while left > 0 {
      guard let place = memory.locate(address) else { throw violation(.outsideMemory) }
      let run = min(left, place.run)
      let end = queue.endVector &+ chain.segmentCount
      if chain.segmentCount > 0,
        unsafe queue.vectors[end &- 1].base + queue.vectors[end &- 1].byteCount == place.base
      {
        unsafe queue.vectors[end &- 1].byteCount &+= Int(run)
      } else {
        guard chain.segmentCount < IOVector.maximumCount else { throw violation(.tooManySegments) }
        unsafe queue.vectors[end] = IOVector(base: place.base, byteCount: Int(run))
        chain.segmentCount &+= 1
      }
      address &+= run
      left &-= run
    }
  }

  /// A descriptor of a table that the guest did not align: bytes, each read once.
  private static func readUnaligned(_ place: UnsafeMutableRawPointer) -> Descriptor {
    var words: (UInt64, UInt64) = (0, 0)
    for byte in (0..<8).reversed() {
      let low = unsafe (place + byte).assumingMemoryBound(to: Atomic<UInt8>.self)
      let high = unsafe (place + 8 + byte).assumingMemoryBound(to: Atomic<UInt8>.self)
      words.0 = words.0 << 8 | UInt64(unsafe low.pointee.load(ordering: .relaxed))
      words.1 = words.1 << 8 | UInt64(unsafe high.pointee.load(ordering: .relaxed))
    }
    return Descriptor(
      address: words.0, length: UInt32(truncatingIfNeeded: words.1), flags: UInt16(truncatingIfNeeded: words.1 >> 32),
      next: UInt16(truncatingIfNeeded: words.1 >> 48))
  }
}
