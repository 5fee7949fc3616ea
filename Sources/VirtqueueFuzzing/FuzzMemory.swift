internal import LinuxIO
internal import Virtqueue

/// The guest's memory of a fuzz input: a region with the ring and tables, three with buffers, and a copy of all to see what
/// the device has changed.
@safe internal struct FuzzMemory: ~Copyable {
  private static let byteCount = 0x8000
  private static let tables = 0x1000
  // Where the guest sees it, where it is here, how long. The third is next to the second only for the guest.
  private static let map: [(guest: UInt64, offset: Int, count: Int)] = [
    (0x10000, 0, 0x2000), (0x20000, 0x3000, 0x1000), (0x21000, 0x5000, 0x1000), (.max - 0x1fff, 0x7000, 0xff0),
  ]

  @unsafe private let base: UnsafeMutableRawPointer
  @unsafe private let copy: UnsafeMutableRawPointer
  private var layout = SplitRingLayout(size: 1)
  private var index: UInt16 = 0

  init() {
    unsafe base = .allocate(byteCount: Self.byteCount, alignment: 4096)
    unsafe copy = .allocate(byteCount: Self.byteCount, alignment: 4096)
  }

  deinit {
    unsafe base.deallocate()
    unsafe copy.deallocate()
  }

  mutating func reset(_ layout: SplitRingLayout, index: UInt16) {
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
    unsafe copy.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
    self.layout = layout
    self.index = index
    set(layout.available + 2, index)
    set(layout.used + 2, index)
  }

  func device(_ features: DeviceRing.Features, base start: UInt16) -> DeviceRing {
    guard let layout else { fatalError("no layout") }
    let regions = Self.map.map {
      unsafe GuestRegion(guestAddress: $0.guest, byteCount: UInt64($0.count), base: base + $0.offset)
    }
    let parts = unsafe DeviceRing.Parts(
      descriptors: base + layout.descriptors, available: base + layout.available, used: base + layout.used)
    guard
      let ring = unsafe DeviceRing(size: layout.size, parts: parts, regions: regions, features: features, base: start)
    else { fatalError("a ring of \(layout.size)") }
    return ring
  }

  /// One of the guest's steps, 0 to 5.
  mutating func change(_ step: UInt8, _ script: inout FuzzScript) {
    guard let layout else { return }
    switch step {
    case 0:
      let offset = Int(script.word()) % Self.byteCount
      let bytes = script.bytes(Int(script.byte() & 31))
      for (position, byte) in bytes.enumerated() where offset + position < Self.byteCount {
        set(offset + position, byte)
      }
    case 1, 2:
      // A descriptor, of the ring's table or of one for indirect ones.
      let position = Int(script.byte())
      let entry = step == 1 ? layout.descriptors + 16 * (position % layout.size) : Self.tables + 16 * position
      let kind = script.byte()
      let starts: [UInt64] = [0x20000, 0x21000, .max - 0x1fff, 0x11000, 0x20000, 0x10000, 0x1f000, .max - 15]
      let address = starts[Int(kind & 7)] &+ UInt64(script.word())
      let length = UInt64(script.word()) << (kind & 0x80 != 0 ? 16 : 0)
      let flags = UInt64(script.byte() & 7)
      let words = [address, length | flags << 32 | UInt64(script.byte()) << 48]
      for (word, value) in words.enumerated() {
        for byte in 0..<8 { set(entry + 8 * word + byte, UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))) }
      }
    case 3:
      set(layout.available + 4 + 2 * (Int(index) & (layout.size - 1)), UInt16(script.byte()))
      index &+= 1
      set(layout.available + 2, index)
    case 4: set(layout.available + 2, script.word())
    default: set(layout.available + 4 + 2 * layout.size, script.word())
    }
  }

  /// For a race: a descriptor of the ring's table or the other one, in two stores.
  func describe(_ position: Int, inTable: Bool, address: UInt64, rest: UInt64) {
    guard let layout else { return }
    let entry = (inTable ? Self.tables : layout.descriptors) + 16 * position
    unsafe base.storeBytes(of: address, toByteOffset: entry, as: UInt64.self)
    unsafe base.storeBytes(of: rest, toByteOffset: entry + 8, as: UInt64.self)
  }

  /// For a race: an entry of the available ring.
  func offer(_ head: Int, slot: Int) {
    guard let layout else { return }
    let entry = layout.available + 4 + 2 * slot
    unsafe base.storeBytes(of: UInt16(truncatingIfNeeded: head), toByteOffset: entry, as: UInt16.self)
  }

  func word(_ offset: Int) -> UInt16 { unsafe base.load(fromByteOffset: offset, as: UInt16.self) }

  private func set(_ offset: Int, _ word: UInt16) {
    set(offset, UInt8(truncatingIfNeeded: word))
    set(offset + 1, UInt8(truncatingIfNeeded: word >> 8))
  }

  private func set(_ offset: Int, _ byte: UInt8) {
    unsafe base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    unsafe copy.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
  }

  /// Whether all of a segment is in the guest's regions.
  func contains(_ segment: IOVector) -> Bool {
    let offset = unsafe segment.base - base
    return Self.map.contains { $0.offset <= offset && offset + segment.byteCount <= $0.offset + $0.count }
  }

  /// Where a frame's bytes are, in the memory.
  func places(of range: Range<Int>, in segments: UnsafeBufferPointer<IOVector>) -> [Int] {
    var places: [Int] = []
    var start = 0
    for index in segments.indices {
      let segment = unsafe segments[index]
      for position in range where (start..<start + segment.byteCount).contains(position) {
        unsafe places.append(segment.base - base + position - start)
      }
      start += segment.byteCount
    }
    return places
  }

  /// The device may have changed these bytes.
  func expect(_ places: [Int]) {
    for place in places {
      let byte = unsafe base.load(fromByteOffset: place, as: UInt8.self)
      unsafe copy.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
    }
  }

  /// Beside those, and its used ring, it has changed nothing.
  func checkUnchanged() {
    guard let layout else { return }
    let used = layout.used..<layout.used + 6 + 8 * layout.size
    unsafe (copy + used.lowerBound).copyMemory(from: base + used.lowerBound, byteCount: used.count)
    for offset in stride(from: 0, to: Self.byteCount, by: 8) {
      let now = unsafe base.load(fromByteOffset: offset, as: UInt64.self)
      let then = unsafe copy.load(fromByteOffset: offset, as: UInt64.self)
      check(now == then, "the device wrote at \(offset)")
    }
  }
}
