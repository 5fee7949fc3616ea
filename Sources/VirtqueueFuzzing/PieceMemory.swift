internal import LinuxIO
internal import Virtqueue

/// A guest's memory in small: a ring, tables of indirect descriptors, and slots of 64 bytes for the pieces of its buffers.
///
/// The guest sees the slots as one stretch; here they are in two, which are apart, and one slot is in both.
@safe internal struct PieceMemory: ~Copyable {
  static let ringBytes = 1024
  static let tableBytes = 64 * 64
  static let slotCount = 48
  static let slotBytes = 64
  private static let slotsAt = ringBytes + tableBytes
  // The second part begins within a slot, and behind a gap here.
  private static let split = 23 * slotBytes + 20
  private static let gap = 256
  private static let byteCount = slotsAt + slotCount * slotBytes + gap
  private static let controlAddress: UInt64 = 0x7_0000_0000
  private static let slotsAddress: UInt64 = 0x4000

  @unsafe private let base: UnsafeMutableRawPointer
  private(set) var free: [Int] = []
  private var freeTables: [Int] = []

  init() {
    unsafe base = .allocate(byteCount: Self.byteCount, alignment: 4096)
    reset()
  }

  deinit {
    unsafe base.deallocate()
  }

  mutating func reset() {
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
    free = Array(0..<Self.slotCount)
    freeTables = Array(0..<64)
  }

  func driver(_ layout: SplitRingLayout, eventIndex: Bool) -> DriverRing {
    unsafe DriverRing(layout, in: base, eventIndex: eventIndex)
  }

  func device(_ layout: SplitRingLayout, _ features: DeviceRing.Features) -> DeviceRing {
    let regions = unsafe [
      GuestRegion(
        guestAddress: Self.slotsAddress + UInt64(Self.split),
        byteCount: UInt64(Self.slotCount * Self.slotBytes - Self.split),
        base: base + Self.slotsAt + Self.split + Self.gap),
      GuestRegion(guestAddress: Self.controlAddress, byteCount: UInt64(Self.slotsAt), base: base),
      GuestRegion(guestAddress: Self.slotsAddress, byteCount: UInt64(Self.split), base: base + Self.slotsAt),
    ]
    let parts = unsafe DeviceRing.Parts(
      descriptors: base + layout.descriptors, available: base + layout.available, used: base + layout.used)
    guard
      let ring = unsafe DeviceRing(size: layout.size, parts: parts, regions: regions, features: features, base: 0)
    else { fatalError("a ring of \(layout.size)") }
    return ring
  }

  /// A slot for a piece, nil if all are taken: any of them.
  mutating func takeSlot(_ choice: Int) -> Int? {
    guard !free.isEmpty else { return nil }
    free.swapAt(choice % free.count, free.count - 1)
    return free.removeLast()
  }

  mutating func giveBack(slots: [Int]) { free.append(contentsOf: slots) }

  /// A table of 4 descriptors.
  mutating func takeTable() -> Int? { freeTables.popLast() }
  mutating func giveBack(table: Int) { freeTables.append(table) }
  @unsafe func table(_ number: Int) -> UnsafeMutableRawPointer { unsafe base + Self.ringBytes + 64 * number }
  func tableAddress(_ number: Int) -> UInt64 { Self.controlAddress + UInt64(Self.ringBytes + 64 * number) }

  static func address(ofSlot slot: Int) -> UInt64 { slotsAddress + UInt64(slotBytes * slot) }

  /// Writes to a slot what the guest would write there.
  func write(_ bytes: ArraySlice<UInt8>, toSlot slot: Int) {
    var offset = Self.slotBytes * slot
    for byte in bytes {
      unsafe (base + place(offset)).storeBytes(of: byte, as: UInt8.self)
      offset += 1
    }
  }

  /// What the guest reads there.
  func read(_ count: Int, fromSlot slot: Int, to bytes: inout [UInt8]) {
    let start = Self.slotBytes * slot
    for offset in start..<start + count { unsafe bytes.append((base + place(offset)).load(as: UInt8.self)) }
  }

  private func place(_ offset: Int) -> Int { Self.slotsAt + offset + (offset < Self.split ? 0 : Self.gap) }
}
