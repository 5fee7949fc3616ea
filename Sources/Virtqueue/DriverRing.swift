public import Synchronization

/// The driver's end of a split virtqueue in shared memory (virtio 1.2 §2.7.13, §2.7.14).
///
/// Add buffers of one descriptor, of several or of a table, publish them together, kick if the device asks for it, and take back what it has used. The device is
/// trusted no further than memory safety needs: a used id out of range ends the ring as `broken`.
///
/// One thread at a time. No call allocates. Everything on the way of a buffer is `@inlinable`: called across modules instead
/// of inlined there, a buffer costs twice as much.
@safe public struct DriverRing: ~Copyable {
  @usableFromInline internal let mask: UInt16
  @unsafe @usableFromInline internal let table: UnsafeMutablePointer<Descriptor>
  @unsafe @usableFromInline internal let availableFlags: UnsafeMutableRawPointer
  @unsafe @usableFromInline internal let usedFlags: UnsafeMutableRawPointer
  // The descriptors that are free, a stack in memory of our own: the device cannot reach it.
  @unsafe @usableFromInline internal let free: UnsafeMutablePointer<UInt16>
  @usableFromInline internal var freeCount: Int
  // What follows a descriptor in a chain that the device has, in our own memory as well: `end` for none.
  @unsafe @usableFromInline internal let links: UnsafeMutablePointer<UInt16>
  // Whether there has been a chain of more than one; a ring without pays nothing for them.
  @usableFromInline internal var hasChains = false
  @usableFromInline internal let eventIndex: Bool
  @usableFromInline internal var nextAvailable: UInt16 = 0
  // What the device knows of, and how much of it `needsKick` has not been asked about.
  @usableFromInline internal var published: UInt16 = 0
  @usableFromInline internal var unkicked = 0
  @usableFromInline internal var lastUsed: UInt16 = 0
  @usableFromInline internal var broken = false

  /// The device named a descriptor that it cannot have; nothing more is taken from it.
  @inlinable
  public var isBroken: Bool { broken }

  /// A buffer that the device has used.
  public struct Used: Sendable, Equatable, BitwiseCopyable {
    /// What `add` returned for it.
    public let id: UInt16
    /// How many bytes the device wrote.
    public let length: Int

    /// Names one.
    @inlinable
    public init(id: UInt16, length: Int) {
      self.id = id
      self.length = length
    }
  }

  /// A stretch of the guest's memory that a descriptor names.
  public struct Piece: Sendable, BitwiseCopyable {
    /// Where it is in the guest.
    public var address: UInt64
    /// Its length in bytes.
    public var length: UInt32
    /// Whether it is for the device to write.
    public var deviceWrites: Bool

    /// Names one.
    @inlinable
    public init(address: UInt64, length: UInt32, deviceWrites: Bool) {
      self.address = address
      self.length = length
      self.deviceWrites = deviceWrites
    }
  }

  /// A fresh ring laid out in `memory`, which must be zero there. `eventIndex`: VIRTIO_F_EVENT_IDX was negotiated.
  ///
  /// - Safety: `memory` reaches to `layout.end`, is aligned to 16, and outlives the ring.
  @unsafe public init(_ layout: SplitRingLayout, in memory: UnsafeMutableRawPointer, eventIndex: Bool = false) {
    mask = UInt16(truncatingIfNeeded: layout.size - 1)
    unsafe table = (memory + layout.descriptors).bindMemory(to: Descriptor.self, capacity: layout.size)
    unsafe availableFlags = memory + layout.available
    unsafe usedFlags = memory + layout.used
    unsafe free = .allocate(capacity: layout.size)
    for index in 0..<layout.size {
      unsafe (free + index).initialize(to: UInt16(truncatingIfNeeded: layout.size - 1 - index))
    }
    freeCount = layout.size
    unsafe links = .allocate(capacity: layout.size)
    unsafe links.initialize(repeating: Self.end, count: layout.size)
    self.eventIndex = eventIndex
  }

  /// No descriptor: a ring has 32768 at most.
  @usableFromInline internal static var end: UInt16 { @inlinable get { .max } }

  deinit {
    unsafe links.deallocate()
    unsafe free.deallocate()
  }

  /// How many more buffers fit.
  @inlinable
  public var room: Int { freeCount }

  /// Puts a buffer of `length` bytes at the guest's `address` into a descriptor, for the device to write or to read.
  /// Nothing is seen of it before `publish()`. Nil when the ring is full.
  @inlinable @inline(__always)
  public mutating func add(address: UInt64, length: UInt32, deviceWrites: Bool) -> UInt16? {
    guard freeCount > 0 else { return nil }
    freeCount &-= 1
    let id = unsafe free[freeCount]
    unsafe table[Int(id)] = Descriptor(address: address, length: length, flags: deviceWrites ? 2 : 0, next: 0)
    let slot = Int(nextAvailable & mask)
    unsafe availableFlags.storeBytes(of: id, toByteOffset: 4 &+ 2 &* slot, as: UInt16.self)
    nextAvailable &+= 1
    return id
  }

  /// Lets the device see all that was added: the available index, released.
  @inlinable @inline(__always)
  public mutating func publish() {
    unkicked &+= Int(nextAvailable &- published)
    published = nextAvailable
    unsafe Self.index(availableFlags).pointee.store(nextAvailable, ordering: .releasing)
  }

  /// Whether the device wants a kick for what was published since this was last asked: its VIRTQ_USED_F_NO_NOTIFY or, with
  /// VIRTIO_F_EVENT_IDX, its avail_event (virtio 1.2 §2.7.10), read behind a full barrier.
  @inlinable @inline(__always)
  public var needsKick: Bool {
    mutating get {
      let count = unkicked
      unkicked = 0
      atomicMemoryFence(ordering: .sequentiallyConsistent)
      guard eventIndex else { return unsafe Self.word(usedFlags).pointee.load(ordering: .relaxed) & 1 == 0 }
      let event = unsafe Self.word(usedFlags + (4 &+ 8 &* (Int(mask) &+ 1))).pointee.load(ordering: .relaxed)
      return Int(published &- event &- 1) < count
    }
  }

  /// The next buffer that the device has used; nil if there is none, or once the ring is broken.
  @inlinable @inline(__always)
  public mutating func takeUsed() -> Used? {
    guard unsafe Self.index(usedFlags).pointee.load(ordering: .acquiring) != lastUsed, !broken else { return nil }
    let slot = Int(lastUsed & mask)
    let element = unsafe usedFlags.load(fromByteOffset: 4 &+ 8 &* slot, as: UsedElement.self)
    guard element.id <= UInt32(mask) else {
      broken = true
      return nil
    }
    lastUsed &+= 1
    let id = UInt16(truncatingIfNeeded: element.id)
    if hasChains, unsafe links[Int(id)] != Self.end {
      freeCount = unsafe Self.releaseRest(of: id, links, free, freeCount, mask)
    }
    guard freeCount <= Int(mask) else {
      broken = true
      return nil
    }
    unsafe free[freeCount] = id
    freeCount &+= 1
    return Used(id: id, length: Int(element.length))
  }

  /// The idx field of either ring, 2 bytes behind its flags.
  @inlinable @inline(__always)
  internal static func index(_ ring: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt16>> {
    unsafe word(ring + 2)
  }

  /// A word that the device writes or reads at any time.
  @inlinable @inline(__always)
  internal static func word(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt16>> {
    unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self)
  }
}
