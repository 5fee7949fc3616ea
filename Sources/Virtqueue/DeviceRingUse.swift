public import LinuxIO
public import Synchronization

extension DeviceRing {
  /// The queue's first chain has been read, and leaves the queue. The driver does not see it before ``publish()``.
  @inlinable @inline(__always)
  public mutating func complete(_ queue: inout ChainQueue) {
    use(queue.removeFirst().head, length: 0)
  }

  /// A frame of so many bytes, its header included, has been written to the queue's first segments: as many chains as it
  /// filled leave the queue. The driver sees none of them before ``publish()``, and then all.
  ///
  /// Sets num_buffers in the header (virtio 1.2 §5.1.6.4.1) where the header has it. The frame must fit in the queue; without
  /// mergeable buffers in its first chain.
  @inlinable @inline(__always)
  public mutating func completeFrame(_ queue: inout ChainQueue, byteCount: Int) {
    let first = queue.first.byteCount
    if byteCount <= first, !isLogging, unsafe setBufferCount(1, in: queue.firstSegments[0], byteCount) {
      use(queue.removeFirst().head, length: UInt32(truncatingIfNeeded: byteCount))
    } else {
      completeLong(&queue, byteCount: byteCount)
    }
  }

  /// Lets the driver see all that was completed: the used index, released.
  @inlinable @inline(__always)
  public mutating func publish() {
    let count = nextUsed &- usedIndex
    guard count != 0 else { return }
    if isLogging { logUsed() }
    usedIndex = nextUsed
    uncalled &+= Int(count)
    unsafe Self.word(usedRing + 2).pointee.store(nextUsed, ordering: .releasing)
    if isLogging { logUsedRing(offset: 0, count: 4) }
  }

  /// Whether the driver wants to be called for what was published since this was last asked: its used_event or
  /// VIRTQ_AVAIL_F_NO_INTERRUPT (virtio 1.2 §2.7.7), read behind a full barrier.
  @inlinable @inline(__always)
  public mutating func needsCall() -> Bool {
    let count = uncalled
    guard count > 0 else { return false }
    uncalled = 0
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    guard features.contains(.eventIndex) else {
      return unsafe Self.word(availableRing).pointee.load(ordering: .relaxed) & 1 == 0
    }
    // All around the ring's numbers, or never asked before: whatever the event is, it may have been passed.
    guard count < 1 << 16 else { return true }
    let event = unsafe Self.word(availableRing + (4 &+ 2 &* (Int(mask) &+ 1))).pointee.load(ordering: .relaxed)
    return Int(usedIndex &- event &- 1) < count
  }

  /// Asks the driver for no kick, as far as it can be asked: while chains are taken all the time. With VIRTIO_F_EVENT_IDX the event
  /// stays behind by itself.
  @inlinable
  public mutating func suppressKicks() {
    guard !features.contains(.eventIndex) else { return }
    unsafe Self.word(usedRing).pointee.store(1, ordering: .relaxed)
    if isLogging { logUsedRing(offset: 0, count: 2) }
  }

  /// Asks the driver for a kick when more is available than what is known of (virtio 1.2 §2.7.10). True if there is something to
  /// take already, for which no kick may come: take it, and ask again.
  @inlinable
  public mutating func requestKicks() throws(RingViolation) -> Bool {
    guard !violated else { throw .broken }
    if features.contains(.eventIndex) {
      let offset = 4 &+ 8 &* (Int(mask) &+ 1)
      unsafe Self.word(usedRing + offset).pointee.store(availableIndex, ordering: .relaxed)
      if isLogging { logUsedRing(offset: offset, count: 2) }
    } else {
      unsafe Self.word(usedRing).pointee.store(0, ordering: .relaxed)
      if isLogging { logUsedRing(offset: 0, count: 2) }
    }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    try readAvailableIndex()
    return availableIndex != nextAvailable
  }

  @inlinable @inline(__always)
  internal mutating func use(_ head: UInt16, length: UInt32) {
    let slot = Int(nextUsed & mask)
    unsafe usedRing.storeBytes(
      of: UsedElement(id: UInt32(head), length: length), toByteOffset: 4 &+ 8 &* slot, as: UsedElement.self)
    nextUsed &+= 1
  }

  /// Sets num_buffers if the header has it, and all of it is in one segment; false if it is not.
  @inlinable @inline(__always)
  internal func setBufferCount(_ count: UInt16, in segment: IOVector, _ byteCount: Int) -> Bool {
    guard !features.isDisjoint(with: [.mergeableReceiveBuffers, .version1]) else { return true }
    guard segment.byteCount >= 12, byteCount >= 12 else { return false }
    unsafe (segment.base + 10).storeBytes(of: count.littleEndian, as: UInt16.self)
    return true
  }

  @usableFromInline @inline(never)
  internal mutating func completeLong(_ queue: inout ChainQueue, byteCount: Int) {
    precondition(byteCount <= queue.byteCount, "a frame longer than its buffers")
    var rest = byteCount
    var count = 0
    repeat {
      rest -= unsafe queue.chains[queue.firstChain + count].byteCount
      count += 1
    } while rest > 0
    precondition(count == 1 || features.contains(.mergeableReceiveBuffers), "a frame in buffers that are not mergeable")
    if !features.isDisjoint(with: [.mergeableReceiveBuffers, .version1]), byteCount >= 12 {
      unsafe Self.setByte(10, to: UInt8(truncatingIfNeeded: count), in: queue.segments)
      unsafe Self.setByte(11, to: UInt8(truncatingIfNeeded: count >> 8), in: queue.segments)
    }
    if isLogging { unsafe logWritten(queue.segments, byteCount: byteCount) }
    rest = byteCount
    for _ in 0..<count {
      let chain = queue.removeFirst()
      let length = min(rest, chain.byteCount)
      use(chain.head, length: UInt32(truncatingIfNeeded: length))
      rest -= length
    }
  }

  private static func setByte(_ position: Int, to byte: UInt8, in segments: UnsafeBufferPointer<IOVector>) {
    var offset = position
    for index in segments.indices {
      let segment = unsafe segments[index]
      if offset < segment.byteCount { return unsafe (segment.base + offset).storeBytes(of: byte, as: UInt8.self) }
      offset -= segment.byteCount
    }
  }
}

/// The dirty log. Nothing of it is on the way of a buffer when there is none.
extension DeviceRing {
  private func logWritten(_ segments: UnsafeBufferPointer<IOVector>, byteCount: Int) {
    var rest = byteCount
    for index in segments.indices where rest > 0 {
      let segment = unsafe segments[index]
      var place = unsafe segment.base
      var left = min(rest, segment.byteCount)
      rest -= segment.byteCount
      // A segment may go on in a region that is next to the first one only here.
      while left > 0, let found = unsafe memory.guestRange(of: place, count: left) {
        log?.mark(found.address, count: UInt64(found.count))
        unsafe place += found.count
        left -= found.count
      }
    }
  }

  /// The elements that are not published yet.
  @usableFromInline
  internal func logUsed() {
    let size = Int(mask) + 1
    let first = Int(usedIndex & mask)
    let count = min(size, Int(nextUsed &- usedIndex))
    let straight = min(count, size - first)
    logUsedRing(offset: 4 + 8 * first, count: 8 * straight)
    logUsedRing(offset: 4, count: 8 * (count - straight))
  }

  @usableFromInline
  internal func logUsedRing(offset: Int, count: Int) {
    guard let usedLogAddress else { return }
    log?.mark(usedLogAddress &+ UInt64(offset), count: UInt64(count))
  }
}
