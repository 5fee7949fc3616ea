public import LinuxIO
internal import Synchronization

/// The walk of any chain, from its first descriptor on, which has been read. A value of its own that knows neither ring nor queue: a
/// call with their addresses would keep them in memory on the way of every descriptor.
@safe @usableFromInline
internal struct Walk {
  @unsafe private let table: UnsafeMutableRawPointer
  private let mask: UInt16
  private let features: DeviceRing.Features
  private let flag: UInt16
  @unsafe private let vectors: UnsafeMutablePointer<IOVector>
  private var wasWritable = false
  @usableFromInline internal private(set) var memory: GuestMemory
  @usableFromInline internal private(set) var segmentCount = 0
  @usableFromInline internal private(set) var byteCount = 0

  /// `vectors` has room for the most that a chain may have.
  @usableFromInline
  internal init(
    table: UnsafeMutableRawPointer, mask: UInt16, features: DeviceRing.Features, flag: UInt16, memory: GuestMemory,
    vectors: UnsafeMutablePointer<IOVector>
  ) {
    unsafe self.table = table
    self.mask = mask
    self.features = features
    self.flag = flag
    self.memory = memory
    unsafe self.vectors = vectors
  }

  /// All of it; what is wrong with it, if anything is.
  @usableFromInline
  internal mutating func run(from first: Descriptor) -> RingViolation? {
    do throws(RingViolation) {
      try add(chain: first)
      return nil
    } catch {
      return error
    }
  }

  private mutating func add(chain first: Descriptor) throws(RingViolation) {
    var descriptor = first
    // How many more descriptors the ring has.
    var left = mask
    while descriptor.flags & Descriptor.indirect == 0 {
      try add(descriptor)
      guard descriptor.flags & Descriptor.hasNext != 0 else { return }
      guard descriptor.next <= mask else { throw .next }
      guard left > 0 else { throw .chainTooLong }
      left &-= 1
      descriptor = unsafe DeviceRing.read(table + 16 &* Int(descriptor.next))
    }
    try add(table: descriptor)
  }

  /// A table of indirect descriptors, with which a chain ends (virtio 1.2 §2.7.5.3).
  private mutating func add(table: Descriptor) throws(RingViolation) {
    guard features.contains(.indirectDescriptors) else { throw .indirectNotNegotiated }
    guard table.flags & Descriptor.hasNext == 0 else { throw .indirectChained }
    let count = table.length / 16
    guard table.length % 16 == 0, (1...32768).contains(count) else { throw .indirectLength }
    guard table.address <= .max - UInt64(table.length) else { throw .addressWraps }
    // The last hits of tables and of pieces are apart, as the two are in a guest's memory.
    var tables = memory
    var index: UInt32 = 0
    for _ in 0..<count {
      guard let place = tables.locate(table.address &+ 16 &* UInt64(index)), place.run >= 16 else {
        throw .outsideMemory
      }
      let descriptor = unsafe table.address % 8 == 0 ? DeviceRing.read(place.base) : Self.readUnaligned(place.base)
      guard descriptor.flags & Descriptor.indirect == 0 else { throw .indirectNested }
      try add(descriptor)
      guard descriptor.flags & Descriptor.hasNext != 0 else { return }
      guard descriptor.next < count else { throw .next }
      index = UInt32(descriptor.next)
    }
    throw .chainTooLong
  }

  private mutating func add(_ descriptor: Descriptor) throws(RingViolation) {
    let isWritable = descriptor.flags & Descriptor.deviceWrites != 0
    if isWritable, flag == 0 { throw .writableInTransmit }
    if !isWritable, flag != 0 { throw wasWritable ? .readableAfterWritable : .readableInReceive }
    wasWritable = isWritable
    guard descriptor.length > 0 else { throw .emptyDescriptor }
    guard descriptor.address <= .max - UInt64(descriptor.length) else { throw .addressWraps }
    byteCount &+= Int(descriptor.length)
    guard isWritable || byteCount <= DeviceRing.maximumFrame else { throw .frameTooLong }
    var address = descriptor.address
    var left = UInt64(descriptor.length)
    while left > 0 {
      guard let place = memory.locate(address) else { throw .outsideMemory }
      let run = min(left, place.run)
      let last = unsafe vectors + (segmentCount &- 1)
      if segmentCount > 0, unsafe last.pointee.base + last.pointee.byteCount == place.base {
        unsafe last.pointee.byteCount &+= Int(run)
      } else {
        guard segmentCount < IOVector.maximumCount else { throw .tooManySegments }
        unsafe vectors[segmentCount] = IOVector(base: place.base, byteCount: Int(run))
        segmentCount &+= 1
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
