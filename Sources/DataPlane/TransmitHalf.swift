internal import LinuxIO
internal import Virtqueue

/// A transmit ring that runs: the guest's frames go to the tap queue, each by one call, straight from where they are.
internal struct TransmitHalf: ~Copyable {
  internal var ring: DeviceRing
  /// Taken from the ring, and not sent yet.
  private var chains = ChainQueue(capacity: Turn.frames)
  /// The eventfd that the driver waits for; -1 for none.
  internal var call: CInt
  /// What the driver did that none may do.
  internal private(set) var violation: RingViolation?

  internal init(_ ring: consuming DeviceRing, call: CInt) {
    self.ring = ring
    self.call = call
  }

  /// Goes on with another ring; the old one is the caller's. (Swift 6.3.1 does not end a value that is assigned to.)
  internal mutating func exchangeRing(with other: inout DeviceRing) { swap(&ring, &other) }

  /// Sends what is there, as far as a turn goes. Whatever of it was sent, the driver knows when this returns.
  internal mutating func turn(_ tap: CInt) -> Turn {
    var frames = 0
    var bytes = 0
    while frames < Turn.frames, bytes < Turn.bytes {
      if chains.isEmpty {
        do throws(RingViolation) {
          _ = try ring.takeReadable(into: &chains, upTo: Turn.frames)
        } catch {
          violation = violation ?? error
        }
        guard !chains.isEmpty else { return finish(violation == nil ? .done : .broken) }
      }
      let segments = unsafe chains.firstSegments
      let result =
        unsafe segments.count == 1
        ? FrameIO.write(tap, segments[0].base, segments[0].byteCount)
        : FrameIO.write(tap, segments.baseAddress!, count: segments.count)
      if result < 0 {
        if result == FrameIO.wouldBlock { return finish(.full) }
        if result == FrameIO.interrupted { return finish(.more) }
        if result == FrameIO.fault { return finish(.lost) }
        // What no tap takes, such as less than an Ethernet header, is what no wire carries.
      }
      bytes &+= chains.first.byteCount
      frames &+= 1
      ring.complete(&chains)
    }
    return finish(.more)
  }

  @inline(__always)
  private mutating func finish(_ turn: Turn) -> Turn {
    ring.publish()
    if ring.needsCall(), call >= 0 { FrameIO.signal(call) }
    return turn
  }

  /// Puts back what was not sent. Returns where the ring has come to.
  internal mutating func giveBack() -> UInt16 {
    ring.giveBack(&chains)
    return ring.base
  }
}
