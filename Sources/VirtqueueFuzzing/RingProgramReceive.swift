internal import LinuxIO
internal import Virtqueue

extension RingProgram {
  /// Frames from the device: it takes buffers until one fits, and the driver puts it together again.
  mutating func receive(
    _ driver: inout DriverRing, _ device: inout DeviceRing, _ features: DeviceRing.Features, frameCount: Int
  ) -> String? {
    let mergeable = features.contains(.mergeableReceiveBuffers)
    var idle = 0
    var received = 0
    while received < frameCount {
      guard idle < 1000 else { return "stuck: \(nextFrame) written, \(received) received" }
      idle += 1
      if !isDriverAsleep, below(2) == 0 {
        for _ in 0...below(6) { post(&driver, isReceiving: true) }
        driver.publish()
        if driver.needsKick { isDeviceAsleep = false }
      }
      if !isDeviceAsleep, nextFrame < frameCount, below(2) == 0 {
        do throws(RingViolation) {
          for _ in 0...below(4) where nextFrame < frameCount {
            guard try deliver(&device, mergeable: mergeable) else { break }
            idle = 0
            if below(4) == 0 { device.publish() }
          }
          device.publish()
          if device.needsCall() { isDriverAsleep = false }
          // A frame is there all the time; what it waits for is buffers.
          if mergeable ? try !device.takeWritable(into: &queue, byteCount: 12) : queue.isEmpty {
            isDeviceAsleep = try !device.requestKicks()
          } else {
            device.suppressKicks()
          }
        } catch { return "\(error)" }
      }
      if !isDriverAsleep, below(2) == 0 {
        driver.suppressCalls()
        switch collect(&driver, features, from: received) {
        case .success(let count):
          if count > 0 { idle = 0 }
          received += count
        case .failure(let problem): return problem.text
        }
        let isFull = driver.room == 0 || memory.free.isEmpty
        if isFull, !driver.requestCalls() { isDriverAsleep = received < frameCount }
      }
    }
    return nil
  }

  /// What went wrong, in words.
  struct Problem: Error {
    let text: String
  }

  /// The device has a frame: it writes it if there are buffers for it.
  private mutating func deliver(
    _ device: inout DeviceRing, mergeable: Bool
  ) throws(RingViolation) -> Bool {
    // A frame that did not fit stays the next one.
    if frames.count == nextFrame {
      let length = 12 + below(mergeable ? 150 : 5)
      frames.append((0..<length).map { _ in UInt8(truncatingIfNeeded: below(256)) })
    }
    var frame = frames[nextFrame]
    if mergeable {
      guard try device.takeWritable(into: &queue, byteCount: frame.count) else {
        // Ring and memory may be too small for it; a shorter one comes instead.
        if below(2) == 0 {
          frame = Array(frame.prefix(12))
          frames[nextFrame] = frame
        }
        return false
      }
    } else {
      if queue.isEmpty { _ = try device.takeWritable(into: &queue, upTo: 1 + below(4)) }
      guard !queue.isEmpty else { return false }
    }
    var rest = frame[...]
    for index in unsafe queue.segments.indices {
      let segment = unsafe queue.segments[index]
      let part = rest.prefix(segment.byteCount)
      for (offset, byte) in part.enumerated() { unsafe (segment.base + offset).storeBytes(of: byte, as: UInt8.self) }
      rest = rest.dropFirst(part.count)
    }
    device.completeFrame(&queue, byteCount: frame.count)
    nextFrame += 1
    if below(8) == 0 { device.giveBack(&queue) }
    return true
  }

  /// The driver takes what was used and compares.
  private mutating func collect(
    _ driver: inout DriverRing, _ features: DeviceRing.Features, from start: Int
  ) -> Result<Int, Problem> {
    let mergeable = features.contains(.mergeableReceiveBuffers)
    var used = [DriverRing.Used](repeating: DriverRing.Used(id: 0, length: 0), count: 64)
    var received = 0
    while true {
      var span = used.mutableSpan
      let count = driver.takeFrame(into: &span) { mergeable ? bufferCount($0) : 1 }
      guard !driver.isBroken else { return .failure(Problem(text: "the driver's end broke")) }
      guard count > 0 else { return .success(received) }
      var bytes: [UInt8] = []
      for position in 0..<count {
        read(used[position], to: &bytes)
        guard reclaim(used[position].id) else { return .failure(Problem(text: "used \(used[position])")) }
      }
      var expected = frames[start + received]
      if mergeable || features.contains(.version1) {
        (expected[10], expected[11]) = (UInt8(truncatingIfNeeded: count), 0)
      }
      guard bytes == expected else { return .failure(Problem(text: "frame \(start + received) is another")) }
      received += 1
    }
  }

  /// num_buffers, le16 at offset 10 of the header, which is in the first buffer.
  private func bufferCount(_ first: DriverRing.Used) -> UInt16 {
    var header: [UInt8] = []
    read(DriverRing.Used(id: first.id, length: 12), to: &header)
    return header.count == 12 ? UInt16(header[10]) | UInt16(header[11]) << 8 : 0
  }

  private func read(_ used: DriverRing.Used, to bytes: inout [UInt8]) {
    guard let buffer = posted[Int(used.id)] else { return }
    var rest = used.length
    for (slot, length) in zip(buffer.slots, buffer.lengths) where rest > 0 {
      memory.read(min(rest, length), fromSlot: slot, to: &bytes)
      rest -= length
    }
  }
}
