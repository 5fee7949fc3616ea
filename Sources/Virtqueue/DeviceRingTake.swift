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
    if !queue.hasRoom { queue.moveToStart() }
    var taken = 0
    while taken < count, queue.hasRoom {
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
        var walk = unsafe Walk(
          table: table, mask: mask, features: features, flag: flag, memory: memory,
          vectors: queue.vectors + queue.endVector)
        if let violated = walk.run(from: descriptor) { throw violation(violated) }
        memory = walk.memory
        queue.append(head: head, segmentCount: walk.segmentCount, byteCount: walk.byteCount)
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
}
