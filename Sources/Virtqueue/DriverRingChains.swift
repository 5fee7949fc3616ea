public import Synchronization

/// Buffers of more than one descriptor, the device's calls, and frames in more than one buffer.
extension DriverRing {
  /// Puts a buffer of several pieces into as many descriptors, those for the device to read before those for it to write. Nil
  /// when the ring has no room for all, or there are none.
  public mutating func add(_ pieces: Span<Piece>) -> UInt16? {
    guard !pieces.isEmpty, pieces.count <= freeCount else { return nil }
    if pieces.count == 1 {
      return add(address: pieces[0].address, length: pieces[0].length, deviceWrites: pieces[0].deviceWrites)
    }
    hasChains = true
    freeCount -= pieces.count
    // From the stack's top down, as `add` of single ones would take them.
    let top = freeCount + pieces.count - 1
    for position in pieces.indices {
      let id = unsafe free[top - position]
      let isLast = position == pieces.count - 1
      let next = unsafe isLast ? Self.end : free[top - position - 1]
      unsafe links[Int(id)] = next
      unsafe table[Int(id)] = Self.descriptor(pieces[position], next: isLast ? nil : next)
    }
    return offer(unsafe free[top])
  }

  /// Puts a buffer of several pieces into one descriptor, by way of a table of indirect ones (virtio 1.2 §2.7.5.3) that the
  /// guest has at `tableAddress`. Nil when the ring is full, or there are none.
  ///
  /// - Safety: `table` is where the driver has those 16 bytes for each piece, aligned to 16; it is not to be touched until the
  ///   device has used the buffer.
  @unsafe public mutating func add(
    _ pieces: Span<Piece>, table indirect: UnsafeMutableRawPointer, tableAddress: UInt64
  ) -> UInt16? {
    guard !pieces.isEmpty, pieces.count <= 32768, freeCount > 0 else { return nil }
    for position in pieces.indices {
      let next = position == pieces.count - 1 ? nil : UInt16(position + 1)
      unsafe indirect.storeBytes(
        of: Self.descriptor(pieces[position], next: next), toByteOffset: 16 * position, as: Descriptor.self)
    }
    freeCount -= 1
    let id = unsafe free[freeCount]
    unsafe table[Int(id)] = Descriptor(
      address: tableAddress, length: UInt32(16 * pieces.count), flags: Descriptor.indirect, next: 0)
    return offer(id)
  }

  /// Takes the buffers of one frame into `buffers` and says how many they are: 0 if nothing was used, or once the ring is broken.
  ///
  /// `bufferCount` says from the first of them, where the header is, how many they are: its num_buffers if mergeable receive
  /// buffers were negotiated (virtio 1.2 §5.1.6.4). A device that shows fewer than that together, or none, or more than fit,
  /// breaks the ring.
  @inlinable
  public mutating func takeFrame(
    into buffers: inout MutableSpan<Used>, bufferCount: (Used) -> UInt16
  ) -> Int {
    guard let first = takeUsed() else { return 0 }
    let count = Int(bufferCount(first))
    guard (1...buffers.count).contains(count) else {
      broken = true
      return 0
    }
    buffers[0] = first
    for position in 1..<count {
      guard let used = takeUsed() else {
        broken = true
        return 0
      }
      buffers[position] = used
    }
    return count
  }

  /// Asks the device for no call, while what it has used is looked for all the time. With VIRTIO_F_EVENT_IDX the event stays
  /// behind by itself.
  @inlinable
  public func suppressCalls() {
    guard !eventIndex else { return }
    unsafe Self.word(availableFlags).pointee.store(1, ordering: .relaxed)
  }

  /// Asks the device for a call when it has used more than what was taken (virtio 1.2 §2.7.7). True if it has already, for which
  /// no call may come: take it, and ask again.
  ///
  /// - Parameter count: with VIRTIO_F_EVENT_IDX, how many more it may use without a call, fewer than it has; without, any is
  ///   enough.
  @inlinable
  public func requestCalls(after count: UInt16 = 0) -> Bool {
    var enough: UInt16 = 0
    if eventIndex {
      enough = count
      unsafe Self.word(availableFlags + (4 &+ 2 &* (Int(mask) &+ 1))).pointee.store(
        lastUsed &+ count, ordering: .relaxed)
    } else {
      unsafe Self.word(availableFlags).pointee.store(0, ordering: .relaxed)
    }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return unsafe Self.index(usedFlags).pointee.load(ordering: .acquiring) &- lastUsed > enough && !broken
  }

  /// The descriptors that follow one in its chain are free again; how many are free now. Not a method: a call with the ring's
  /// address would keep all of it in memory on the way of every buffer.
  @usableFromInline @inline(never)
  internal static func releaseRest(
    of id: UInt16, _ links: UnsafeMutablePointer<UInt16>, _ free: UnsafeMutablePointer<UInt16>, _ count: Int,
    _ mask: UInt16
  ) -> Int {
    var freeCount = count
    var at = id
    repeat {
      let next = unsafe links[Int(at)]
      unsafe links[Int(at)] = end
      at = next
      guard at != end, freeCount <= Int(mask) else { return freeCount }
      unsafe free[freeCount] = at
      freeCount &+= 1
    } while true
  }

  private mutating func offer(_ id: UInt16) -> UInt16 {
    unsafe availableFlags.storeBytes(of: id, toByteOffset: 4 &+ 2 &* Int(nextAvailable & mask), as: UInt16.self)
    nextAvailable &+= 1
    return id
  }

  private static func descriptor(_ piece: Piece, next: UInt16?) -> Descriptor {
    let flags = (next == nil ? 0 : Descriptor.hasNext) | (piece.deviceWrites ? Descriptor.deviceWrites : 0)
    return Descriptor(address: piece.address, length: piece.length, flags: flags, next: next ?? 0)
  }
}
