internal import LinuxIO
internal import Virtqueue

/// Both rings of a pair: what comes out of one goes into the other, copied once.
struct EchoRings: ~Copyable {
  private static let batch = 32
  private var receive: DeviceRing
  private var transmit: DeviceRing
  private var buffers = ChainQueue()
  private var frames = ChainQueue()

  init(receive: consuming DeviceRing, transmit: consuming DeviceRing) {
    self.receive = receive
    self.transmit = transmit
    self.receive.suppressKicks()
    self.transmit.suppressKicks()
  }

  /// Up to a batch of frames; none where there are none, or no buffers for them.
  mutating func turn() throws(RingViolation) {
    guard try transmit.takeReadable(into: &frames, upTo: Self.batch - frames.count) > 0 || !frames.isEmpty else {
      return
    }
    if buffers.count < frames.count { _ = try receive.takeWritable(into: &buffers, upTo: Self.batch) }
    var count = 0
    while !frames.isEmpty {
      let length = frames.first.byteCount
      guard try receive.takeWritable(into: &buffers, byteCount: length) else { break }
      let source = unsafe frames.firstSegments
      let target = unsafe buffers.firstSegments
      if source.count == 1, unsafe length <= target[0].byteCount {
        unsafe target[0].base.copyMemory(from: source[0].base, byteCount: length)
      } else {
        unsafe copy(source, to: buffers.segments)
      }
      receive.completeFrame(&buffers, byteCount: length)
      transmit.complete(&frames)
      count &+= 1
    }
    guard count > 0 else { return }
    receive.publish()
    transmit.publish()
    // DPDK's front end polls and wants no call; being asked is part of the work.
    _ = receive.needsCall()
    _ = transmit.needsCall()
  }

  /// Where the next device goes on, receive and transmit.
  mutating func stop() -> [UInt16] {
    receive.giveBack(&buffers)
    transmit.giveBack(&frames)
    return [receive.base, transmit.base]
  }

  private func copy(_ source: UnsafeBufferPointer<IOVector>, to target: UnsafeBufferPointer<IOVector>) {
    var index = 0
    var offset = 0
    for part in 0..<source.count {
      let from = unsafe source[part]
      var done = 0
      while done < from.byteCount {
        let to = unsafe target[index]
        let count = min(from.byteCount &- done, to.byteCount &- offset)
        unsafe (to.base + offset).copyMemory(from: from.base + done, byteCount: count)
        done &+= count
        offset &+= count
        if offset == to.byteCount { (index, offset) = (index &+ 1, 0) }
      }
    }
  }
}
