internal import LinuxIO
internal import VhostUserFuzzing
internal import Virtqueue

/// A ring's two ends against each other, by a program of random steps: buffers of any shape, batches of any length, either end
/// asleep until it is notified. What goes in must come out, in order, and nobody may sleep on work.
public struct RingProgram: ~Copyable {
  var memory = PieceMemory()
  var generator = SeededGenerator(seed: 0)
  var queue = ChainQueue(capacity: 16)
  // Of the buffers that the driver has out, by their id: pieces, slots, and the table, if any.
  var posted: [Posted?] = []
  // Their ids in the order in which the device must use them (VIRTIO_F_IN_ORDER), whatever order the ids are in.
  var order: [UInt16] = []
  // In the order in which they must come out, with the device's frames on the way.
  var frames: [[UInt8]] = []
  var nextFrame = 0
  var isDriverAsleep = false
  var isDeviceAsleep = false

  /// What an id stands for.
  struct Posted {
    var lengths: [Int]
    var slots: [Int]
    var table: Int?
  }

  /// Memory for any number of programs.
  public init() {}

  /// One program, of `frameCount` frames: nil if all is well, or what is not.
  public mutating func run(seed: UInt64, frameCount: Int) -> String? {
    generator = SeededGenerator(seed: seed)
    memory.reset()
    let isReceiving = below(2) == 1
    let eventIndex = below(2) == 1
    var features: DeviceRing.Features = [.indirectDescriptors]
    if eventIndex { features.insert(.eventIndex) }
    if below(2) == 1 { features.insert(.mergeableReceiveBuffers) }
    if below(2) == 1 { features.insert(.version1) }
    guard let layout = SplitRingLayout(size: 1 << below(6)) else { return "no layout" }
    posted = Array(repeating: nil, count: layout.size)
    order = []
    frames = []
    nextFrame = 0
    (isDriverAsleep, isDeviceAsleep) = (false, false)
    var driver = memory.driver(layout, eventIndex: eventIndex)
    var device = memory.device(layout, features)
    let problem =
      isReceiving
      ? receive(&driver, &device, features, frameCount: frameCount)
      : transmit(&driver, &device, frameCount: frameCount)
    device.giveBack(&queue)
    guard let problem else { return nil }
    return "seed \(seed), ring of \(layout.size), \(isReceiving ? "RX" : "TX"), \(features.rawValue): \(problem)"
  }

  // MARK: Transmit

  private mutating func transmit(
    _ driver: inout DriverRing, _ device: inout DeviceRing, frameCount: Int
  ) -> String? {
    var idle = 0
    var completed = 0
    while completed < frameCount {
      guard idle < 1000 else { return "stuck: \(nextFrame) of \(frames.count) sent, \(completed) given back" }
      idle += 1
      if !isDriverAsleep, below(2) == 0 {
        for _ in 0...below(4) where frames.count < frameCount { post(&driver, isReceiving: false) }
        driver.publish()
        if driver.needsKick { isDeviceAsleep = false }
      }
      if !isDeviceAsleep, below(2) == 0 {
        do throws(RingViolation) {
          let taken = try device.takeReadable(into: &queue, upTo: 1 + below(8))
          if taken > 0 { idle = 0 }
          if let problem = send(&device) { return problem }
          if device.needsCall() { isDriverAsleep = false }
          if queue.isEmpty, taken == 0 { isDeviceAsleep = try !device.requestKicks() } else { device.suppressKicks() }
        } catch { return "\(error)" }
      }
      if !isDriverAsleep, below(2) == 0 {
        driver.suppressCalls()
        while let used = driver.takeUsed() {
          guard used.length == 0, reclaim(used.id) else { return "used \(used)" }
          completed += 1
          idle = 0
        }
        // A driver that waits for nothing does not sleep.
        if frames.count > completed { isDriverAsleep = !driver.requestCalls() }
      }
    }
    return nextFrame == frameCount ? nil : "\(nextFrame) of \(frameCount) frames"
  }

  /// The device reads some of what it has taken, and may put the rest back.
  private mutating func send(_ device: inout DeviceRing) -> String? {
    for _ in 0..<below(9) where !queue.isEmpty {
      var bytes: [UInt8] = []
      unsafe bytes.append(segments: queue.firstSegments)
      guard nextFrame < frames.count, bytes == frames[nextFrame] else { return "frame \(nextFrame) is another" }
      nextFrame += 1
      device.complete(&queue)
      if below(4) == 0 { device.publish() }
    }
    if below(4) == 0 { device.giveBack(&queue) }
    device.publish()
    return nil
  }

  // MARK: What both need

  /// Adds a buffer of 1 to 4 pieces, to be read with a frame in it or to be written, if there is room.
  mutating func post(_ driver: inout DriverRing, isReceiving: Bool) {
    var pieces: [DriverRing.Piece] = []
    var buffer = Posted(lengths: [], slots: [], table: nil)
    var frame: [UInt8] = []
    for position in 0...below(4) {
      guard let slot = memory.takeSlot(below(64)) else { break }
      var length = 1 + below(PieceMemory.slotBytes)
      // A receive buffer has room for a header and the shortest frames, in one piece or in two.
      if isReceiving, position < 2 { length = max(length, position == 0 ? 10 : 6) }
      if isReceiving, position == 0, memory.free.isEmpty || below(2) == 0 { length = max(length, 16) }
      if !isReceiving {
        let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: below(256)) }
        memory.write(bytes[...], toSlot: slot)
        frame += bytes
      }
      buffer.slots.append(slot)
      buffer.lengths.append(length)
      pieces.append(
        DriverRing.Piece(
          address: PieceMemory.address(ofSlot: slot), length: UInt32(length), deviceWrites: isReceiving))
    }
    if isReceiving, buffer.lengths.reduce(0, +) < 16 { return memory.giveBack(slots: buffer.slots) }
    var id: UInt16?
    if below(2) == 0 { buffer.table = memory.takeTable() }
    if let table = buffer.table {
      id = unsafe driver.add(
        pieces.span, table: memory.table(table), tableAddress: memory.tableAddress(table))
    } else {
      id = driver.add(pieces.span)
    }
    guard let id else {
      memory.giveBack(slots: buffer.slots)
      if let table = buffer.table { memory.giveBack(table: table) }
      return
    }
    posted[Int(id)] = buffer
    order.append(id)
    if !isReceiving { frames.append(frame) }
  }

  /// The slots of a used buffer are free again; false if it was not the next one out.
  mutating func reclaim(_ id: UInt16) -> Bool {
    guard id == order.first, let buffer = posted[Int(id)] else { return false }
    order.removeFirst()
    posted[Int(id)] = nil
    memory.giveBack(slots: buffer.slots)
    if let table = buffer.table { memory.giveBack(table: table) }
    return true
  }

  mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: generator.next() >> 33) % bound }
}

extension [UInt8] {
  /// What is there.
  mutating func append(segments: UnsafeBufferPointer<IOVector>) {
    for index in segments.indices {
      let segment = unsafe segments[index]
      unsafe append(contentsOf: UnsafeRawBufferPointer(start: segment.base, count: segment.byteCount))
    }
  }
}
