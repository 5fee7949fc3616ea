import LinuxIO
import Testing
import Virtqueue

/// Each thing that no driver may do: the take throws it, and the ring is broken for good.
@Suite struct DeviceRingViolationTests {
  /// What is wrong, what it is called, and whether the ring is one to send.
  enum Malformed: CaseIterable {
    case farAvailableIndex, availableIndexBehind, head, next, selfLoop, loop, empty, emptySecond, wraps, wrapsFar
    case outside, intoGap, beyondLast, writableFirst, writableSecond, readableFirst, readableSecond, nested, chained
    case tableLength, tableEmpty, tableTooLong, tableOutside, tableWraps, tableLoop, tableNext, tableIntoGap, long,
      longByChain
  }

  @Test(arguments: Malformed.allCases) func isNamed(_ what: Malformed) throws {
    var driver = try HandDriver(size: 8)
    let (expected, reading) = Self.write(what, &driver)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(ring.violation(reading: reading, &queue) == expected)
    #expect(ring.isBroken && queue.isEmpty)
    // For good: a driver that has mended it is not heard.
    for position in 0..<8 { driver.describe(position, HandDriver.low, 1, reading ? 0 : 2) }
    driver.index = 0
    driver.offer(0)
    #expect(ring.violation(reading: reading, &queue) == .broken)
    let wanted = (try? ring.requestKicks()) == nil
    #expect(wanted)
    ring.publish()
    #expect(driver.used().isEmpty)
  }

  @Test func indirectDescriptorsThatWereNotNegotiated() throws {
    var driver = try HandDriver(size: 8)
    driver.describe(0, HandDriver.low, 16, 4)
    driver.describe(0, HandDriver.apart, 1, tableAt: 0x20000)
    driver.offer(0)
    var ring = try driver.device([])
    var queue = ChainQueue()
    #expect(ring.violation(&queue) == .indirectNotNegotiated)
  }

  /// What came before it is good, and can be used.
  @Test func chainsBeforeTheViolation() throws {
    var driver = try HandDriver(size: 8)
    driver.describe(0, HandDriver.low, 5)
    driver.describe(1, HandDriver.low, 0)
    driver.offer(0, 1)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(ring.violation(&queue) == .emptyDescriptor)
    #expect(queue.count == 1 && queue.byteCount == 5)
    ring.complete(&queue)
    ring.publish()
    #expect(driver.used() == [[0, 0]])
  }

  /// 1024 pieces are a chain; one more is none.
  @Test func moreSegmentsThanOneCallTakes() throws {
    for count in [1024, 1025] {
      var driver = try HandDriver(size: 1)
      driver.describe(0, HandDriver.ring + 0x10000, UInt32(16 * count), 4)
      for position in 0..<count {
        driver.describe(
          position, HandDriver.low + UInt64(2 * position), 1, position == count - 1 ? 0 : 1, next: UInt16(position + 1),
          tableAt: 0x10000)
      }
      driver.offer(0)
      var ring = try driver.device()
      var queue = ChainQueue()
      #expect(ring.violation(&queue) == (count == 1024 ? nil : .tooManySegments))
      #expect(queue.byteCount == (count == 1024 ? 1024 : 0))
    }
  }

  @Test func theLongestFrame() throws {
    var driver = try HandDriver(size: 4)
    driver.describe(0, HandDriver.apart, UInt32(DeviceRing.maximumFrame))
    driver.describe(1, HandDriver.apart, UInt32(DeviceRing.maximumFrame - 1), 1, next: 2)
    driver.describe(2, HandDriver.last, 1)
    driver.offer(0, 1)
    var ring = try driver.device()
    var queue = ChainQueue()
    #expect(ring.violation(&queue) == nil)
    #expect(queue.count == 2 && queue.byteCount == 2 * 65570)
  }

  /// Each violation has words, and no two the same.
  @Test func words() {
    let all = RingViolation.allCases.map(\.description)
    #expect(Set(all).count == all.count && !all.contains(""))
  }

  private static func write(_ what: Malformed, _ driver: inout HandDriver) -> (RingViolation, reading: Bool) {
    let low = HandDriver.low
    let table = 0x20000
    driver.describe(0, low, 16)
    switch what {
    case .farAvailableIndex, .availableIndexBehind:
      driver.setWord(driver.layout.available + 2, what == .farAvailableIndex ? 9 : 65535)
      return (.availableIndex, true)
    case .head:
      driver.offer(8)
      return (.head, true)
    case .long: driver.describe(0, HandDriver.apart, 65571)
    case .longByChain:
      driver.describe(0, HandDriver.apart, 65570, 1, next: 1)
      driver.describe(1, low, 1)
    case .next: driver.describe(0, low, 16, 1, next: 8)
    case .selfLoop: driver.describe(0, low, 16, 1, next: 0)
    case .loop: for position in 0..<8 { driver.describe(position, low, 16, 1, next: UInt16((position + 1) % 8)) }
    case .empty: driver.describe(0, low, 0)
    case .emptySecond:
      driver.describe(0, low, 16, 1, next: 1)
      driver.describe(1, low, 0)
    case .wraps: driver.describe(0, .max - 7, 16)
    case .wrapsFar: driver.describe(0, HandDriver.last, .max)
    case .outside: driver.describe(0, 0xffff, 1)
    case .intoGap: driver.describe(0, HandDriver.together + 0xffff, 2)
    case .beyondLast: driver.describe(0, HandDriver.last + 0xefff, 2)
    case .writableFirst: driver.describe(0, low, 16, 2)
    case .writableSecond:
      driver.describe(0, low, 16, 1, next: 1)
      driver.describe(1, low, 16, 2)
    case .readableFirst: break
    case .readableSecond:
      driver.describe(0, low, 16, 3, next: 1)
      driver.describe(1, low, 16)
    default: return (writeTable(what, &driver, table), true)
    }
    driver.offer(0)
    let names: [Malformed: RingViolation] = [
      .long: .frameTooLong, .longByChain: .frameTooLong, .next: .next, .selfLoop: .chainTooLong, .loop: .chainTooLong,
      .empty: .emptyDescriptor, .emptySecond: .emptyDescriptor, .wraps: .addressWraps, .wrapsFar: .addressWraps,
      .outside: .outsideMemory, .intoGap: .outsideMemory, .beyondLast: .outsideMemory,
      .writableFirst: .writableInTransmit, .writableSecond: .writableInTransmit, .readableFirst: .readableInReceive,
      .readableSecond: .readableAfterWritable,
    ]
    return (names[what] ?? .broken, what != .readableFirst && what != .readableSecond)
  }

  /// What is wrong with a table of indirect descriptors.
  private static func writeTable(_ what: Malformed, _ driver: inout HandDriver, _ table: Int) -> RingViolation {
    let low = HandDriver.low
    let expected: RingViolation
    driver.describe(0, HandDriver.apart, 16, 1, next: 1, tableAt: table)
    driver.describe(1, HandDriver.apart, 16, tableAt: table)
    driver.describe(0, low, 32, 4)
    switch what {
    case .nested:
      driver.describe(1, low, 16, 4, tableAt: table)
      expected = .indirectNested
    case .chained:
      driver.describe(0, low, 32, 5, next: 1)
      expected = .indirectChained
    case .tableLength:
      driver.describe(0, low, 33, 4)
      expected = .indirectLength
    case .tableEmpty:
      driver.describe(0, low, 0, 4)
      expected = .indirectLength
    case .tableTooLong:
      driver.describe(0, low, 16 * 32769, 4)
      expected = .indirectLength
    case .tableOutside:
      driver.describe(0, 0, 32, 4)
      expected = .outsideMemory
    case .tableWraps:
      driver.describe(0, .max - 15, 32, 4)
      expected = .addressWraps
    case .tableLoop:
      driver.describe(1, HandDriver.apart, 16, 1, next: 0, tableAt: table)
      expected = .chainTooLong
    case .tableNext:
      driver.describe(1, HandDriver.apart, 16, 1, next: 2, tableAt: table)
      expected = .next
    default:
      // The second entry of it is behind the end of its region.
      driver.describe(0, HandDriver.together + 0xfff0, 32, 4)
      driver.describe(0, low, 16, 1, next: 1, tableAt: 0x6fff0)
      expected = .outsideMemory
    }
    driver.offer(0)
    return expected
  }
}
