import LinuxIO
import Testing
import Virtqueue

/// Who asks whom for a kick or a call, with VIRTIO_F_EVENT_IDX and without (virtio 1.2 §2.7.7 and §2.7.10).
@Suite struct NotificationTests {
  /// With the event at `event`, the step from `old` to `new` needs a notification if it passes it.
  @Test(arguments: [0, 65533, 65535, 32767] as [UInt16]) func theDriversEventAroundTheWrap(_ start: UInt16) throws {
    for event in -3..<8 {
      var driver = try HandDriver(size: 8, index: start)
      for position in 0..<8 { driver.describe(position, HandDriver.low, 1) }
      var ring = try driver.device([.eventIndex])
      var queue = ChainQueue()
      driver.offer(0, 1)
      #expect(try ring.takeReadable(into: &queue, upTo: 1) == 1)
      ring.complete(&queue)
      ring.publish()
      let first = ring.needsCall()
      #expect(first, "nothing is known of what was called for before")
      #expect(ring.needsCall() == false, "nothing is new")
      driver.setWord(driver.usedEvent, start &+ UInt16(truncatingIfNeeded: event))
      driver.offer(2, 3)
      #expect(try ring.takeReadable(into: &queue, upTo: 4) == 1)
      #expect(try ring.takeReadable(into: &queue, upTo: 4) == 2)
      ring.complete(&queue)
      ring.publish()
      ring.complete(&queue)
      ring.complete(&queue)
      ring.publish()
      // From start + 1 to start + 4, in two steps that were asked about together.
      #expect(ring.needsCall() == (1..<4).contains(event), "used_event at \(event)")
    }
  }

  /// 65536 uses without asking pass any event, though the index is where it was.
  @Test func allAroundTheIndex() throws {
    var driver = try HandDriver(size: 8)
    for position in 0..<8 { driver.describe(position, HandDriver.low, 1) }
    var ring = try driver.device([.eventIndex])
    var queue = ChainQueue()
    ring.publish()
    _ = ring.needsCall()
    for _ in 0..<8192 {
      driver.offer(0, 1, 2, 3, 4, 5, 6, 7)
      _ = try ring.takeReadable(into: &queue, upTo: 8)
      while !queue.isEmpty { ring.complete(&queue) }
      ring.publish()
    }
    #expect(driver.word(driver.layout.used + 2) == 0)
    let wanted = ring.needsCall()
    let again = ring.needsCall()
    #expect(wanted && !again)
  }

  /// VIRTQ_AVAIL_F_NO_INTERRUPT is bit 0 of the available ring's flags; other bits say nothing.
  @Test func theDriversFlag() throws {
    var driver = try HandDriver(size: 8)
    driver.describe(0, HandDriver.low, 1)
    var ring = try driver.device()
    var queue = ChainQueue()
    for (flags, wanted) in [(0, true), (1, false), (2, true), (3, false), (0, true)] {
      driver.setWord(driver.layout.available, UInt16(flags))
      driver.offer(0)
      _ = try ring.takeReadable(into: &queue, upTo: 1)
      ring.complete(&queue)
      ring.publish()
      #expect(ring.needsCall() == wanted)
    }
  }

  /// VIRTQ_USED_F_NO_NOTIFY without the events, avail_event with them; what is there already is said, as no kick comes for it.
  @Test(arguments: [false, true]) func theDeviceAsksForKicks(_ events: Bool) throws {
    var driver = try HandDriver(size: 8, index: 65535)
    driver.describe(0, HandDriver.low, 1)
    var ring = try driver.device(events ? [.eventIndex] : [])
    var queue = ChainQueue()
    ring.suppressKicks()
    #expect(driver.word(driver.layout.used) == (events ? 0 : 1))
    #expect(try ring.requestKicks() == false)
    #expect(driver.word(driver.layout.used) == 0)
    #expect(driver.word(driver.availEvent) == (events ? 65535 : 0))
    driver.offer(0)
    #expect(try ring.requestKicks())
    _ = try ring.takeReadable(into: &queue, upTo: 1)
    #expect(try ring.requestKicks() == false)
    #expect(driver.word(driver.availEvent) == 0)
    ring.giveBack(&queue)
    #expect(try ring.requestKicks(), "what was given back is there")
  }

  /// The driver's end of the same.
  @Test(arguments: [0, 1, 2, 3, 4, 5, 65534] as [UInt16]) func theDevicesEvent(_ event: UInt16) throws {
    let device = try HandDevice(size: 8)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress, eventIndex: true)
    let availEvent = device.layout.used + 4 + 8 * 8
    device.setWord(device.layout.used, 1)
    for _ in 0..<2 { _ = ring.add(address: 0, length: 1, deviceWrites: false) }
    ring.publish()
    let first = ring.needsKick
    #expect(first, "the event is at 0")
    device.setWord(availEvent, event)
    for _ in 0..<2 {
      _ = ring.add(address: 0, length: 1, deviceWrites: false)
      ring.publish()
    }
    let second = ring.needsKick
    #expect(second == (2..<4).contains(event))
    let third = ring.needsKick
    #expect(!third)
  }

  @Test(arguments: [false, true]) func theDriverAsksForCalls(_ events: Bool) throws {
    let device = try HandDevice(size: 4)
    var ring = unsafe DriverRing(device.layout, in: device.memory.baseAddress, eventIndex: events)
    for _ in 0..<2 { _ = ring.add(address: 0, length: 1, deviceWrites: false) }
    ring.publish()
    let usedEvent = device.layout.available + 4 + 2 * 4
    ring.suppressCalls()
    #expect(device.word(device.layout.available) == (events ? 0 : 1))
    #expect(ring.requestCalls() == false)
    device.use(id: 0, length: 0)
    #expect(ring.requestCalls() == true)
    _ = ring.takeUsed()
    #expect(ring.requestCalls() == false)
    #expect(device.word(device.layout.available) == 0 && device.word(usedEvent) == (events ? 1 : 0))
  }
}
