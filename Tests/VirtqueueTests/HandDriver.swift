import LinuxIO
import Testing
import Virtqueue

/// A guest's memory with a ring in it, and the driver's end by hand.
///
/// The mapping is 1 MiB. What the guest sees of it, none of it where it is here:
///
///     ring        0x1_0000_0000   128 KiB  at 0
///     low         0x10000          64 KiB  at 0x20000
///     apart       0x20000          64 KiB  at 0x50000    next to low in the guest, not here
///     together    0x30000          64 KiB  at 0x60000    next to apart in both
///     last        2^64 - 64 KiB    60 KiB  at 0x80000
struct HandDriver: ~Copyable {
  static let low: UInt64 = 0x10000
  static let apart: UInt64 = 0x20000
  static let together: UInt64 = 0x30000
  static let last = UInt64.max - 0xffff
  static let ring: UInt64 = 0x1_0000_0000

  static let map: [(guest: UInt64, count: UInt64, offset: Int)] = [
    (ring, 0x20000, 0), (low, 0x10000, 0x20000), (apart, 0x10000, 0x50000), (together, 0x10000, 0x60000),
    (last, 0xf000, 0x80000),
  ]

  let layout: SplitRingLayout
  let memory: SharedMapping
  /// What it begins with, and the available index now.
  let start: UInt16
  var index: UInt16

  init(size: Int, index: UInt16 = 0) throws {
    let layout = try #require(SplitRingLayout(size: size))
    let memory = try LinuxKernel().mmap(byteCount: 1 << 20)
    self.layout = layout
    self.memory = memory
    start = index
    self.index = index
    setWord(layout.available + 2, index)
    setWord(layout.used + 2, index)
  }

  /// The device's end of it.
  func device(
    _ features: DeviceRing.Features = [.indirectDescriptors], log: DirtyLog? = nil, usedLogAddress: UInt64? = nil
  ) throws -> DeviceRing {
    let base = unsafe memory.baseAddress
    let parts = unsafe DeviceRing.Parts(
      descriptors: base + layout.descriptors, available: base + layout.available, used: base + layout.used)
    let regions = Self.map.map {
      unsafe GuestRegion(guestAddress: $0.guest, byteCount: $0.count, base: base + $0.offset)
    }
    let ring = unsafe DeviceRing(
      size: layout.size, parts: parts, regions: regions, features: features, base: start, log: log,
      usedLogAddress: usedLogAddress)
    guard let ring else { throw HandDriverError() }
    return ring
  }

  /// Entry `position` of the ring's table, or of a table at an offset of the mapping.
  func describe(
    _ position: Int, _ address: UInt64, _ length: UInt32, _ flags: UInt16 = 0, next: UInt16 = 0,
    tableAt table: Int? = nil
  ) {
    let entry = (table ?? layout.descriptors) + 16 * position
    unsafe memory.baseAddress.storeBytes(of: address, toByteOffset: entry, as: UInt64.self)
    unsafe memory.baseAddress.storeBytes(of: length, toByteOffset: entry + 8, as: UInt32.self)
    setWord(entry + 12, flags)
    setWord(entry + 14, next)
  }

  /// An entry of the available ring, and the index behind it.
  mutating func offer(_ heads: UInt16...) {
    for head in heads {
      setWord(layout.available + 4 + 2 * (Int(index) & (layout.size - 1)), head)
      index &+= 1
    }
    setWord(layout.available + 2, index)
  }

  /// The used ring as it is now: flags, idx, then id and length of each entry from `start` to idx.
  func used(from start: UInt16 = 0) -> [[Int]] {
    var all: [[Int]] = []
    var at = start
    while at != word(layout.used + 2) {
      let entry = layout.used + 4 + 8 * (Int(at) & (layout.size - 1))
      let (id, length) = unsafe (
        memory.baseAddress.load(fromByteOffset: entry, as: UInt32.self),
        memory.baseAddress.load(fromByteOffset: entry + 4, as: UInt32.self)
      )
      all.append([Int(id), Int(length)])
      at &+= 1
    }
    return all
  }

  var usedEvent: Int { layout.available + 4 + 2 * layout.size }
  var availEvent: Int { layout.used + 4 + 8 * layout.size }

  func bytes(_ offset: Int, _ count: Int) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: memory.baseAddress + offset, count: count))
  }

  func word(_ offset: Int) -> UInt16 { unsafe memory.baseAddress.load(fromByteOffset: offset, as: UInt16.self) }

  func setWord(_ offset: Int, _ word: UInt16) {
    unsafe memory.baseAddress.storeBytes(of: word, toByteOffset: offset, as: UInt16.self)
  }

  func setBytes(_ offset: Int, _ bytes: [UInt8]) {
    unsafe UnsafeMutableRawBufferPointer(start: memory.baseAddress + offset, count: bytes.count).copyBytes(from: bytes)
  }

  /// Where segments are in the mapping: offset and length of each.
  func places(_ segments: UnsafeBufferPointer<IOVector>) -> [[Int]] {
    unsafe segments.map { unsafe [$0.base - memory.baseAddress, $0.byteCount] }
  }
}

struct HandDriverError: Error {}

extension DeviceRing {
  /// What a take throws, if it does.
  mutating func violation(reading: Bool = true, _ queue: inout ChainQueue) -> RingViolation? {
    do throws(RingViolation) {
      _ =
        reading
        ? try takeReadable(into: &queue, upTo: 1000) : try takeWritable(into: &queue, upTo: 1000)
      return nil
    } catch {
      return error
    }
  }
}
