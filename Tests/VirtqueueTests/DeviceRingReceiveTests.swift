import LinuxIO
import Testing
import Virtqueue

/// Receive buffers: frames in one or several of them, num_buffers, and what of it a migration's log shows.
@Suite struct DeviceRingReceiveTests {
  static let ones = [UInt8](repeating: 0xff, count: 64)

  /// virtio 1.2 §5.1.6.4.1: num_buffers is le16 at offset 10 of the header, which the first buffer has.
  @Test func aFrameInThreeBuffers() throws {
    var driver = try HandDriver(size: 8)
    driver.setBytes(0x20000, Self.ones)
    for position in 0..<4 { driver.describe(position, HandDriver.low + UInt64(0x1000 * position), 100, 2) }
    driver.offer(3, 0, 1, 2)
    driver.setBytes(0x23000, Self.ones)
    var ring = try driver.device([.mergeableReceiveBuffers])
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, byteCount: 350))
    #expect(
      unsafe driver.places(queue.segments) == [[0x23000, 100], [0x20000, 100], [0x21000, 100], [0x22000, 100]])
    ring.completeFrame(&queue, byteCount: 201)
    #expect(queue.count == 1 && queue.byteCount == 100)
    #expect(driver.used().isEmpty, "nothing is seen before publish")
    ring.publish()
    #expect(driver.used() == [[3, 100], [0, 100], [1, 1]])
    #expect(driver.bytes(0x23000, 14) == Self.ones.prefix(10) + [3, 0, 0xff, 0xff])
    ring.completeFrame(&queue, byteCount: 100)
    ring.publish()
    #expect(driver.used(from: 3) == [[2, 100]] && queue.isEmpty)
    #expect(driver.bytes(0x22000, 14) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
  }

  /// The header may be in as many pieces as the driver likes, and across buffers.
  @Test func aHeaderInPieces() throws {
    var driver = try HandDriver(size: 8)
    driver.describe(0, HandDriver.low, 10, 3, next: 1)
    driver.describe(1, HandDriver.apart, 1, 2)
    driver.describe(2, HandDriver.together, 40, 2)
    driver.setBytes(0x50000, [9, 9])
    driver.setBytes(0x60000, [9, 9])
    driver.offer(0, 2)
    var ring = try driver.device([.mergeableReceiveBuffers])
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, byteCount: 51))
    ring.completeFrame(&queue, byteCount: 51)
    ring.publish()
    #expect(driver.used() == [[0, 11], [2, 40]])
    #expect(driver.bytes(0x50000, 2) == [2, 9] && driver.bytes(0x60000, 2) == [0, 9])
  }

  /// VERSION_1 has the field in any header, and 1 in it; a header of 10 bytes has none.
  @Test(arguments: [[.version1], []] as [DeviceRing.Features]) func numBuffersOfOneBuffer(
    _ features: DeviceRing.Features
  ) throws {
    var driver = try HandDriver(size: 2)
    driver.setBytes(0x20000, Self.ones)
    driver.describe(0, HandDriver.low, 100, 2)
    driver.offer(0)
    var ring = try driver.device(features)
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, upTo: 1) == 1)
    ring.completeFrame(&queue, byteCount: 64)
    ring.publish()
    #expect(driver.used() == [[0, 64]])
    #expect(driver.bytes(0x2000a, 2) == (features == [.version1] ? [1, 0] : [0xff, 0xff]))
  }

  /// What is not enough for a frame stays taken until there is more, and the kick is asked for behind it.
  @Test func tooFewBuffersWait() throws {
    var driver = try HandDriver(size: 8)
    for position in 0..<3 { driver.describe(position, HandDriver.low, 100, 2) }
    driver.offer(0, 1)
    var ring = try driver.device([.mergeableReceiveBuffers, .eventIndex])
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, byteCount: 201) == false)
    #expect(queue.count == 2)
    #expect(try ring.requestKicks() == false)
    #expect(driver.word(driver.availEvent) == 2)
    driver.offer(2)
    #expect(try ring.takeWritable(into: &queue, byteCount: 201))
    #expect(queue.count == 3)
  }

  @Test func buffersOfOneByte() throws {
    var driver = try HandDriver(size: 2048)
    driver.describe(0, HandDriver.low, 1, 2)
    for _ in 0..<2048 { driver.offer(0) }
    var ring = try driver.device([.mergeableReceiveBuffers])
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, byteCount: 1024))
    var violation: RingViolation?
    do throws(RingViolation) { _ = try ring.takeWritable(into: &queue, byteCount: 1025) } catch { violation = error }
    #expect(violation == .buffersTooSmall && ring.isBroken)
    // What broke it is told once.
    do throws(RingViolation) { _ = try ring.takeWritable(into: &queue, byteCount: 1025) } catch { violation = error }
    #expect(violation == .broken)
  }

  /// Every page that was written has its bit, and no other: buffers by guest address, the used ring by its log address, all before
  /// the index tells of them, but for the index itself.
  @Test func theLogHasWhatWasWritten() throws {
    var driver = try HandDriver(size: 512, index: 510)
    let log = try LinuxKernel().mmap(byteCount: 8192)
    let pages = { unsafe Self.pages(log.baseAddress) }
    var ring = try driver.device(
      [.mergeableReceiveBuffers],
      log: unsafe DirtyLog(base: log.baseAddress, byteCount: 8192), usedLogAddress: 0x400_0ff0 - 8 * 510)
    driver.describe(0, HandDriver.together - 0x1800, 0x1801, 2)
    driver.describe(1, HandDriver.low + 0xfff, 2, 2)
    driver.describe(2, HandDriver.low + 0x5000, 100, 2)
    driver.offer(0, 1, 2)
    var queue = ChainQueue()
    #expect(try ring.takeWritable(into: &queue, byteCount: 0x1801))
    ring.completeFrame(&queue, byteCount: 0x1800)
    // 0x2e800 to 0x2ffff.
    #expect(pages() == [0x2e, 0x2f])
    #expect(try ring.takeWritable(into: &queue, byteCount: 102))
    ring.completeFrame(&queue, byteCount: 3)
    #expect(pages() == [0x10, 0x11, 0x15, 0x2e, 0x2f])
    #expect(driver.used(from: 510).isEmpty)
    ring.publish()
    // Elements 510, 511, which is in two pages, and 0: at 4 + 8 * n of the used ring; its index at 2.
    #expect(pages() == [0x10, 0x11, 0x15, 0x2e, 0x2f, 0x4000, 0x4001])
    ring.suppressKicks()
    #expect(driver.used(from: 510) == [[0, 0x1800], [1, 2], [2, 1]])
  }

  /// Flags and avail_event are written too; a log that ends before a page has no bit for it.
  @Test func theLogHasFlagsAndEvent() throws {
    for (features, offset) in [([], 0), ([.eventIndex], 4 + 8 * 512)] as [(DeviceRing.Features, Int)] {
      let driver = try HandDriver(size: 512)
      let log = try LinuxKernel().mmap(byteCount: 8192)
      let dirty = unsafe DirtyLog(base: log.baseAddress, byteCount: 16)
      var ring = try driver.device(features, log: dirty, usedLogAddress: 0x7000)
      _ = try ring.requestKicks()
      #expect(unsafe Self.pages(log.baseAddress) == [(0x7000 + offset) / 4096])
      dirty.mark(4096 * 127, count: 4097)
      dirty.mark(.max - 5, count: 9)
      dirty.mark(0, count: 0)
      #expect(unsafe Self.pages(log.baseAddress) == [(0x7000 + offset) / 4096, 127])
    }
  }

  private static func pages(_ log: UnsafeMutableRawPointer) -> Set<Int> {
    var all: Set<Int> = []
    for byte in 0..<8192 {
      let bits = unsafe log.load(fromByteOffset: byte, as: UInt8.self)
      for bit in 0..<8 where bits & 1 << UInt8(bit) != 0 { all.insert(8 * byte + bit) }
    }
    return all
  }
}
