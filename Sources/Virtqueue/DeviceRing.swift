public import Synchronization

/// The device's end of a split virtqueue in a guest's memory (virtio 1.2 §2.7), for a network device: a ring's buffers are
/// all read (transmit) or all written (receive).
///
/// Take chains into a ``ChainQueue``, do what is to be done with their bytes, complete them, publish them together, and call if
/// the driver asks for it. The guest is not trusted: its memory changes while it is read, so each index, address, length, flag
/// and `next` is read once, checked, and used as it was when checked. What no driver may do throws a ``RingViolation``, and the
/// ring is broken from then on.
///
/// A ring does not change. For another memory table, other addresses, features or log: give back what is not used, and make
/// a new ring that goes on from this one's ``base``.
///
/// One thread at a time. No call allocates. Everything on the way of a single descriptor is `@inlinable`.
@safe public struct DeviceRing: ~Copyable, @unchecked Sendable {
  @usableFromInline internal let mask: UInt16
  @usableFromInline internal let features: Features
  @unsafe @usableFromInline internal let table: UnsafeMutableRawPointer
  @unsafe @usableFromInline internal let availableRing: UnsafeMutableRawPointer
  @unsafe @usableFromInline internal let usedRing: UnsafeMutableRawPointer
  @usableFromInline internal var memory: GuestMemory
  // The next entry of the available ring to take, and its end as last read.
  @usableFromInline internal var nextAvailable: UInt16
  @usableFromInline internal var availableIndex: UInt16
  // The next entry of the used ring to write, and its end as the driver knows it.
  @usableFromInline internal var nextUsed: UInt16
  @usableFromInline internal var usedIndex: UInt16
  // How many entries the driver knows of and has not been asked about: more than it can have had before the first time.
  @usableFromInline internal var uncalled: Int
  @usableFromInline internal var violated = false
  @usableFromInline internal let isLogging: Bool
  internal let log: DirtyLog?
  internal let usedLogAddress: UInt64?

  /// Where the ring's parts are in this process.
  @safe public struct Parts: BitwiseCopyable {
    /// The descriptor table.
    @unsafe public var descriptors: UnsafeMutableRawPointer
    /// The available ring.
    @unsafe public var available: UnsafeMutableRawPointer
    /// The used ring.
    @unsafe public var used: UnsafeMutableRawPointer

    /// Names the three.
    ///
    /// - Safety: see the ring's.
    @unsafe public init(
      descriptors: UnsafeMutableRawPointer, available: UnsafeMutableRawPointer, used: UnsafeMutableRawPointer
    ) {
      unsafe self.descriptors = descriptors
      unsafe self.available = available
      unsafe self.used = used
    }
  }

  /// What was negotiated, as far as it matters to a ring.
  public struct Features: OptionSet, BitwiseCopyable, Sendable {
    /// The bits.
    public let rawValue: UInt8

    /// Takes the bits.
    @inlinable
    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// VIRTIO_F_EVENT_IDX.
    @inlinable public static var eventIndex: Features { Features(rawValue: 1) }
    /// VIRTIO_F_INDIRECT_DESC.
    @inlinable public static var indirectDescriptors: Features { Features(rawValue: 2) }
    /// VIRTIO_NET_F_MRG_RXBUF: a frame may fill several chains.
    @inlinable public static var mergeableReceiveBuffers: Features { Features(rawValue: 4) }
    /// VIRTIO_F_VERSION_1: the header has num_buffers even without mergeable buffers, and the device sets it to 1.
    @inlinable public static var version1: Features { Features(rawValue: 8) }
  }

  /// The longest frame to send, with its header: 64 KiB behind an Ethernet header with two VLAN tags, and the 12 bytes of
  /// `struct virtio_net_hdr_v1`.
  @inlinable public static var maximumFrame: Int { 65536 + 14 + 8 + 12 }

  /// Starts where the driver and an earlier device have come to: the available index is `base`, the used index stands in the
  /// used ring. Nil if the size is no power of two from 1 to 32768, or a part is not aligned (to 16, 2 and 4).
  ///
  /// - Safety: the parts reach as far as a ring of this size (``SplitRingLayout``); they and the regions, which do not overlap,
  ///   stay mapped as long as the ring is used; so does the log. With a log, `usedLogAddress` is where the used ring is in it,
  ///   nil if it is not logged.
  @unsafe public init?(
    size: Int, parts: Parts, regions: [GuestRegion], features: Features, base: UInt16, log: DirtyLog? = nil,
    usedLogAddress: UInt64? = nil
  ) {
    guard (1...32768).contains(size), size & (size - 1) == 0 else { return nil }
    guard unsafe UInt(bitPattern: parts.descriptors) % 16 == 0, unsafe UInt(bitPattern: parts.available) % 2 == 0,
      unsafe UInt(bitPattern: parts.used) % 4 == 0
    else { return nil }
    mask = UInt16(truncatingIfNeeded: size - 1)
    self.features = features
    unsafe table = parts.descriptors
    unsafe availableRing = parts.available
    unsafe usedRing = parts.used
    memory = GuestMemory(regions)
    nextAvailable = base
    availableIndex = base
    usedIndex = unsafe Self.word(parts.used + 2).pointee.load(ordering: .acquiring)
    nextUsed = usedIndex
    uncalled = 1 << 16
    isLogging = log != nil
    self.log = log
    self.usedLogAddress = usedLogAddress
  }

  deinit {
    memory.deallocate()
  }

  /// The available index from which another device would go on: VRING_BASE. What was taken and not given back counts as done.
  @inlinable
  public var base: UInt16 { nextAvailable }

  /// The driver has done what none may do; nothing more is taken from the ring.
  @inlinable
  public var isBroken: Bool { violated }

  /// How many chains are available, which is read anew if none was known of.
  @inlinable @inline(__always)
  internal mutating func known() throws(RingViolation) -> Int {
    if availableIndex == nextAvailable { try readAvailableIndex() }
    return Int(availableIndex &- nextAvailable)
  }

  @inlinable @inline(__always)
  internal mutating func readAvailableIndex() throws(RingViolation) {
    guard !violated else { throw .broken }
    let index = unsafe Self.word(availableRing + 2).pointee.load(ordering: .acquiring)
    guard index &- nextAvailable <= mask &+ 1 else { throw violation(.availableIndex) }
    availableIndex = index
  }

  /// Breaks the ring, of which the first violation alone is told.
  @inlinable
  internal mutating func violation(_ what: RingViolation) -> RingViolation {
    guard !violated else { return .broken }
    violated = true
    // Nothing is known to be available any more.
    availableIndex = nextAvailable
    return what
  }

  /// A 16-bit word that the driver may write or read at any time.
  @inlinable @inline(__always)
  internal static func word(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt16>> {
    unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self)
  }
}
