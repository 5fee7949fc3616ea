import LinuxIO
import Testing
import Virtqueue

/// A driver that wants a call for several buffers together, against this package's own device.
@Suite struct DelayedCallTests {
  @Test(arguments: [false, true]) func aCallAfterThreeMore(_ eventIndex: Bool) throws {
    let layout = try #require(SplitRingLayout(size: 8))
    let memory = try LinuxKernel().mmap(byteCount: 4096)
    var driver = unsafe DriverRing(layout, in: memory.baseAddress, eventIndex: eventIndex)
    let parts = unsafe DeviceRing.Parts(
      descriptors: memory.baseAddress + layout.descriptors, available: memory.baseAddress + layout.available,
      used: memory.baseAddress + layout.used)
    let region = unsafe GuestRegion(guestAddress: 0, byteCount: 4096, base: memory.baseAddress)
    guard
      var device = unsafe DeviceRing(
        size: 8, parts: parts, regions: [region], features: eventIndex ? [.eventIndex] : [], base: 0)
    else { throw HandDriverError() }
    var queue = ChainQueue()
    for _ in 0..<6 { _ = driver.add(address: 2048, length: 60, deviceWrites: false) }
    driver.publish()
    #expect(try device.takeReadable(into: &queue, upTo: 8) == 6)
    // What was asked before anybody asked for calls is of no interest.
    _ = device.needsCall()

    let hasEnough = driver.requestCalls(after: 3)
    #expect(!hasEnough)
    var called: [Bool] = []
    for _ in 0..<5 {
      device.complete(&queue)
      device.publish()
      called.append(device.needsCall())
    }
    #expect(called == (eventIndex ? [false, false, false, true, false] : [true, true, true, true, true]))
    // Five are there and not taken: more than three, and not more than five.
    let hasMoreThanThree = driver.requestCalls(after: 3)
    let hasMoreThanFive = driver.requestCalls(after: 5)
    #expect(hasMoreThanThree && hasMoreThanFive == !eventIndex)
    var taken = 0
    while driver.takeUsed() != nil { taken += 1 }
    #expect(taken == 5)
    let isThereMore = driver.requestCalls()
    #expect(!isThereMore)
  }
}
