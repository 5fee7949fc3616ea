public import Synchronization

/// The driver's end of a split virtqueue in shared memory (virtio 1.2 §2.7.13, §2.7.14), one descriptor a buffer.
///
/// Add buffers, publish them together, kick if the device asks for it, and take back what it has used. The device is
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
  @usableFromInline internal var nextAvailable: UInt16 = 0
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

    @inlinable
    internal init(id: UInt16, length: Int) {
      self.id = id
      self.length = length
    }
  }

  /// A fresh ring laid out in `memory`, which must be zero there.
  ///
  /// - Safety: `memory` reaches to `layout.end`, is aligned to 16, and outlives the ring.
  @unsafe public init(_ layout: SplitRingLayout, in memory: UnsafeMutableRawPointer) {
    mask = UInt16(truncatingIfNeeded: layout.size - 1)
    unsafe table = (memory + layout.descriptors).bindMemory(to: Descriptor.self, capacity: layout.size)
    unsafe availableFlags = memory + layout.available
    unsafe usedFlags = memory + layout.used
    unsafe free = .allocate(capacity: layout.size)
    for index in 0..<layout.size {
      unsafe (free + index).initialize(to: UInt16(truncatingIfNeeded: layout.size - 1 - index))
    }
    freeCount = layout.size
  }

  deinit {
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
  public func publish() {
    unsafe Self.index(availableFlags).pointee.store(nextAvailable, ordering: .releasing)
  }

  /// Whether the device wants a kick for what was published: its VIRTQ_USED_F_NO_NOTIFY, read behind a full barrier.
  @inlinable @inline(__always)
  public var needsKick: Bool {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return unsafe usedFlags.load(as: UInt16.self) & 1 == 0
  }

  /// The next buffer that the device has used; nil if there is none, or once the ring is broken.
  @inlinable @inline(__always)
  public mutating func takeUsed() -> Used? {
    guard unsafe Self.index(usedFlags).pointee.load(ordering: .acquiring) != lastUsed, !broken else { return nil }
    let slot = Int(lastUsed & mask)
    let element = unsafe usedFlags.load(fromByteOffset: 4 &+ 8 &* slot, as: UsedElement.self)
    guard element.id <= UInt32(mask), freeCount <= Int(mask) else {
      broken = true
      return nil
    }
    lastUsed &+= 1
    let id = UInt16(truncatingIfNeeded: element.id)
    unsafe free[freeCount] = id
    freeCount &+= 1
    return Used(id: id, length: Int(element.length))
  }

  /// The idx field of either ring, 2 bytes behind its flags.
  @inlinable @inline(__always)
  internal static func index(_ ring: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt16>> {
    unsafe (ring + 2).assumingMemoryBound(to: Atomic<UInt16>.self)
  }
}
