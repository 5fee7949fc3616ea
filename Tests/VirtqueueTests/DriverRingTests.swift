import LinuxIO
import Testing
import Virtqueue

/// The driver's end against a device that is written out by hand, on plain memory (virtio 1.2 §2.7).
@Suite struct DriverRingTests {
  @Test func descriptorsAndAvailableRingByteForByte() throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    let first = ring.add(address: 0x0102_0304_0506_0708, length: 0x1122_3344, deviceWrites: true)
    let second = ring.add(address: 0x1000, length: 64, deviceWrites: false)
    #expect(first == 0 && second == 1)
    #expect(device.bytes(device.layout.available + 2, 2) == [0, 0], "nothing is seen before publish")
    ring.publish()
    // le64 addr, le32 len, le16 flags (VIRTQ_DESC_F_WRITE is 2), le16 next.
    #expect(
      device.bytes(device.layout.descriptors, 32) == [
        8, 7, 6, 5, 4, 3, 2, 1, 0x44, 0x33, 0x22, 0x11, 2, 0, 0, 0,
        0, 0x10, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0,
      ])
    // le16 flags, le16 idx, le16 ring[4], le16 used_event.
    #expect(device.bytes(device.layout.available, 14) == [0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func aFullRingTakesNoMore() throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    var ids: Set<UInt16> = []
    for room in stride(from: 4, to: 0, by: -1) {
      #expect(ring.room == room)
      if let id = ring.add(address: 0, length: 1, deviceWrites: false) { ids.insert(id) }
    }
    let fifth = ring.add(address: 0, length: 1, deviceWrites: false)
    #expect(ids == [0, 1, 2, 3] && ring.room == 0 && fifth == nil)
    let early = ring.takeUsed()
    #expect(early == nil)
    ring.publish()
    device.use(id: 2, length: 7)
    let used = ring.takeUsed()
    #expect(used?.id == 2 && used?.length == 7 && ring.room == 1)
    let again = ring.add(address: 0, length: 1, deviceWrites: false)
    #expect(again == 2)
  }

  /// The indices are 16 bits wide and never masked in the rings: three times around, out of order within a batch.
  @Test(arguments: [1, 8, 256]) func aroundTheIndicesThreeTimes(_ size: Int) throws {
    let device = try HandDevice(size: size)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    var sequence = 0
    var wrong = 0
    while sequence < 3 * 65536 {
      var batch: [UInt16] = []
      for _ in 0..<max(1, size - sequence % 3) {
        guard let id = ring.add(address: UInt64(sequence), length: 1, deviceWrites: false) else { break }
        // What the device reads in the slot is what the driver said.
        let slot = sequence % size
        let offered = device.word(device.layout.available + 4 + 2 * slot)
        let address = device.bytes(device.layout.descriptors + 16 * Int(id), 8)
        let low = Int(address[0]) | Int(address[1]) << 8 | Int(address[2]) << 16
        if offered != id || low != sequence { wrong += 1 }
        batch.append(id)
        sequence += 1
      }
      ring.publish()
      if device.word(device.layout.available + 2) != UInt16(truncatingIfNeeded: sequence) { wrong += 1 }
      for id in batch.reversed() { device.use(id: UInt32(id), length: UInt32(id) + 1) }
      for id in batch.reversed() {
        let used = ring.takeUsed()
        if used?.id != id || used?.length != Int(id) + 1 { wrong += 1 }
      }
      if ring.takeUsed() != nil || ring.room != size { wrong += 1 }
    }
    #expect(wrong == 0 && !ring.isBroken)
  }

  @Test(arguments: [UInt32(4), 0x1_0000, .max]) func aUsedIdOutOfRangeEndsTheRing(_ id: UInt32) throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    _ = ring.add(address: 0, length: 1, deviceWrites: true)
    ring.publish()
    device.use(id: id, length: 0)
    let used = ring.takeUsed()
    #expect(used == nil && ring.isBroken)
    device.use(id: 0, length: 0)
    let later = ring.takeUsed()
    #expect(later == nil && ring.room == 3)
  }

  /// More used than was ever made available.
  @Test func moreUsedThanThereIsEndsTheRing() throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    _ = ring.add(address: 0, length: 1, deviceWrites: true)
    ring.publish()
    device.use(id: 0, length: 0)
    device.use(id: 0, length: 0)
    let first = ring.takeUsed()
    let second = ring.takeUsed()
    #expect(first != nil && second == nil && ring.isBroken && ring.room == 4)
  }

  /// VIRTQ_USED_F_NO_NOTIFY is bit 0 of the used ring's flags; other bits say nothing.
  @Test func theDeviceSaysWhetherItWantsAKick() throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress)
    for (flags, wanted) in [(0, true), (1, false), (2, true), (3, false), (0, true)] {
      device.setWord(device.layout.used, UInt16(flags))
      #expect(ring.needsKick == wanted)
    }
  }
}

/// The device's end, by hand.
struct HandDevice: ~Copyable {
  let layout: SplitRingLayout
  let memory: SharedMapping

  init(size: Int) throws {
    let layout = try #require(SplitRingLayout(size: size))
    let memory = try LinuxKernel().mmap(byteCount: layout.end)
    self.layout = layout
    self.memory = memory
  }

  func bytes(_ offset: Int, _ count: Int) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: memory.baseAddress + offset, count: count))
  }

  func word(_ offset: Int) -> UInt16 { unsafe memory.baseAddress.load(fromByteOffset: offset, as: UInt16.self) }

  func setWord(_ offset: Int, _ word: UInt16) {
    unsafe memory.baseAddress.storeBytes(of: word, toByteOffset: offset, as: UInt16.self)
  }

  /// struct virtq_used: le16 flags, le16 idx, then le32 id and le32 len each.
  func use(id: UInt32, length: UInt32) {
    let index = word(layout.used + 2)
    let entry = layout.used + 4 + 8 * (Int(index) % layout.size)
    unsafe memory.baseAddress.storeBytes(of: id, toByteOffset: entry, as: UInt32.self)
    unsafe memory.baseAddress.storeBytes(of: length, toByteOffset: entry + 4, as: UInt32.self)
    setWord(layout.used + 2, index &+ 1)
  }
}
