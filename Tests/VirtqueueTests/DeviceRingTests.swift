import LinuxIO
import Testing
import Virtqueue

/// The device's end against a driver by hand: what is in memory, byte for byte (virtio 1.2 §2.7).
@Suite struct DeviceRingTests {
  @Test func aChainIsTakenAndUsedByteForByte() throws {
    let driver = try HandDriver(size: 4)
    // le64 addr, le32 len, le16 flags (NEXT 1, WRITE 2, INDIRECT 4), le16 next: descriptor 2, then 0.
    driver.setBytes(driver.layout.descriptors + 32, [0x10, 0, 1, 0, 0, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0])
    driver.setBytes(driver.layout.descriptors, [0, 1, 2, 0, 0, 0, 0, 0, 0x78, 0x56, 0, 0, 0, 0, 9, 9])
    // le16 flags, le16 idx, le16 ring[4], le16 used_event.
    driver.setBytes(driver.layout.available, [0, 0, 1, 0, 2, 0])
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(try ring.takeReadable(into: &queue, upTo: 8) == 1)
    #expect(queue.first.head == 2 && queue.first.segmentCount == 2 && queue.first.byteCount == 0x5678 + 12)
    #expect(unsafe driver.places(queue.firstSegments) == [[0x20010, 12], [0x50100, 0x5678]])
    ring.complete(&queue)
    #expect(queue.isEmpty && queue.byteCount == 0)
    #expect(driver.bytes(driver.layout.used, 4) == [0, 0, 0, 0], "nothing is seen before publish")
    ring.publish()
    // le16 flags, le16 idx, then le32 id and le32 len each, le16 avail_event.
    #expect(driver.bytes(driver.layout.used, 14) == [0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try ring.takeReadable(into: &queue, upTo: 8) == 0)
    #expect(ring.base == 1)
  }

  @Test(arguments: [(3, 0), (0, 0), (65536, 0), (8, 8)]) func refusedRings(_ size: Int, _ shift: Int) throws {
    let driver = try HandDriver(size: 8)
    let parts = unsafe DeviceRing.Parts(
      descriptors: driver.memory.baseAddress + shift, available: driver.memory.baseAddress + 4096,
      used: driver.memory.baseAddress + 8192)
    let ring = unsafe DeviceRing(size: size, parts: parts, regions: [], features: [], base: 0)
    let isNil = ring == nil
    #expect(isNil)
  }

  /// Neighbours in this process's memory are one segment, whether they are in one region or in two.
  @Test func segmentsAcrossRegions() throws {
    var driver = try HandDriver(size: 8)
    // From low into apart, which is elsewhere here, and on into together, which is next to it.
    driver.describe(0, HandDriver.together - 0x1_0100, 0x100 + 0x10000 - 0x10, 1, next: 1)
    driver.describe(1, HandDriver.together - 0x10, 0x10, 1, next: 2)
    driver.describe(2, HandDriver.together, 0x20, 1, next: 3)
    driver.describe(3, HandDriver.last + 0xefff, 1)
    driver.offer(0)
    driver.describe(4, HandDriver.together - 1, 2)
    driver.offer(4)
    var ring = try driver.device()
    var queue = ChainQueue()
    driver.describe(0, HandDriver.apart - 0x100, 0x180, 1, next: 1)
    #expect(try ring.takeReadable(into: &queue, upTo: 8) == 2)
    #expect(
      unsafe driver.places(queue.firstSegments) == [
        [0x2ff00, 0x100], [0x50000, 0x80], [0x5fff0, 0x30], [0x8efff, 1],
      ])
    ring.complete(&queue)
    #expect(unsafe driver.places(queue.firstSegments) == [[0x5ffff, 2]])
    ring.complete(&queue)
    ring.publish()
    #expect(driver.used() == [[0, 0], [4, 0]])
  }

  /// Direct descriptors may come first, the table is not in order, and ignored are the flags that mean nothing there.
  @Test(arguments: [0, 8, 3]) func indirectTables(_ misaligned: Int) throws {
    var driver = try HandDriver(size: 2)
    let table = 0x20000 + misaligned
    driver.describe(1, HandDriver.apart, 12, 1, next: 0)
    // WRITE says nothing of a table (§2.7.5.3.2).
    driver.describe(0, HandDriver.low + UInt64(misaligned), 16 * 5, 4 | 2, next: 7)
    for (position, address, length, next) in [
      (0, HandDriver.together, 100, 3), (3, HandDriver.last, 200, 1), (1, HandDriver.low + 0x1000, 300, 4),
    ] {
      let bytes = words(UInt64(address), UInt64(length) | 1 << 32 | UInt64(next) << 48)
      driver.setBytes(table + 16 * position, bytes)
    }
    driver.setBytes(table + 64, words(HandDriver.apart + 12, 400))
    driver.offer(1)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(try ring.takeReadable(into: &queue, upTo: 1) == 1)
    #expect(
      unsafe driver.places(queue.firstSegments)
        == [[0x50000, 12], [0x60000, 100], [0x80000, 200], [0x21000, 300], [0x5000c, 400]])
    #expect(queue.first.head == 1 && queue.byteCount == 1012)
  }

  private func words(_ first: UInt64, _ second: UInt64) -> [UInt8] {
    [first, second].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }

  /// A table that begins in one region and ends in another is read where it is.
  @Test func anIndirectTableAcrossRegions() throws {
    var driver = try HandDriver(size: 4)
    driver.describe(0, HandDriver.apart - 16, 32, 4)
    driver.describe(0, HandDriver.low, 1, 1, next: 1, tableAt: 0x2fff0)
    driver.describe(0, HandDriver.low + 8, 1, tableAt: 0x50000)
    driver.offer(0)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(try ring.takeReadable(into: &queue, upTo: 1) == 1)
    #expect(unsafe driver.places(queue.firstSegments) == [[0x20000, 1], [0x20008, 1]])
  }

  /// The used index goes on from what stands in the used ring, the available one from VRING_BASE; both around 65535.
  @Test(arguments: [65533, 65535, 0, 7] as [UInt16]) func goesOnWhereAnotherDeviceStopped(_ start: UInt16) throws {
    var driver = try HandDriver(size: 4, index: start)
    driver.setWord(driver.layout.used + 2, start &- 1)
    var ring = try driver.device()
    var queue = ChainQueue()
    for round in 0..<9 as Range<UInt16> {
      driver.describe(Int(round % 4), HandDriver.low, UInt32(round) + 1)
      driver.offer(round % 4)
      #expect(try ring.takeReadable(into: &queue, upTo: 1) == 1)
      #expect(queue.byteCount == Int(round) + 1)
      ring.complete(&queue)
      ring.publish()
      #expect(driver.word(driver.layout.used + 2) == start &+ round)
      #expect(ring.base == start &+ round &+ 1)
    }
    #expect(driver.used(from: start &+ 5) == [[2, 0], [3, 0], [0, 0]])
  }

  @Test func whatIsGivenBackIsTakenAgain() throws {
    var driver = try HandDriver(size: 8, index: 65534)
    for position in 0..<5 { driver.describe(position, HandDriver.low, UInt32(position) + 1, 2) }
    driver.offer(0, 1, 2, 3, 4)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, upTo: 4) == 4)
    ring.completeFrame(&queue, byteCount: 1)
    ring.giveBack(&queue)
    #expect(queue.isEmpty && ring.base == 65535)
    #expect(try ring.takeWritable(into: &queue, upTo: 9) == 4)
    #expect(queue.first.head == 1 && queue.byteCount == 2 + 3 + 4 + 5)
    ring.giveBack(&queue)
    ring.publish()
    #expect(driver.used(from: 65534) == [[0, 1]])
  }

  /// The queue takes no more than it has room for, whatever the ring has.
  @Test func aFullQueueTakesNoMore() throws {
    var driver = try HandDriver(size: 8)
    for position in 0..<8 { driver.describe(position, HandDriver.low + UInt64(16 * position), 4) }
    driver.offer(0, 1, 2, 3, 4, 5, 6, 7)
    var ring = try driver.device()
    var queue = ChainQueue(capacity: 3)
    var heads: [UInt16] = []
    for expected in [3, 1, 1, 1] {
      #expect(try ring.takeReadable(into: &queue, upTo: 8) == expected)
      heads.append(queue.first.head)
      ring.complete(&queue)
    }
    #expect(heads == [0, 1, 2, 3] && queue.count == 2)
    #expect(unsafe driver.places(queue.segments) == [[0x20040, 4], [0x20050, 4]])
  }
}
