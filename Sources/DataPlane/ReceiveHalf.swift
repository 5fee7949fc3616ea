internal import LinuxIO
internal import Virtqueue

/// A receive ring that runs: the tap queue's frames go to the guest, each read straight into its buffers.
///
/// The tap does not say how long its next frame is, and what does not fit is gone. So each frame is read into the first of the
/// guest's segments **and, behind them, memory of our own**, which is long enough for any; what comes to lie there is copied into
/// the guest's next buffers. After a long frame the guest's segments are as many as the longest needs, and nothing is
/// copied, until no long one has come for a while: a list of 45 segments costs a short frame more than a tenth of its time.
@safe internal struct ReceiveHalf: ~Copyable {
  internal var ring: DeviceRing
  /// Taken from the ring, and not filled yet.
  private var chains = ChainQueue()
  /// The eventfd that the driver waits for; -1 for none.
  internal var call: CInt
  /// What the driver did that none may do.
  internal private(set) var violation: RingViolation?
  private let isMergeable: Bool
  private let size: Int
  @unsafe private let spill: UnsafeMutableRawPointer
  @unsafe private let vectors: UnsafeMutablePointer<IOVector>
  /// A frame that was read and for which there are not enough buffers: all of its bytes, of which the first so many are in the
  /// guest's segments and the others in `spill`.
  private var held = (byteCount: 0, placed: 0)
  /// How many more frames must be short before segments are offered for short ones only.
  private var patience = 0

  /// The kernel copies a list of up to this many (UIO_FASTIOV) onto its stack, and allocates for a longer one.
  private static var shortList: Int { 8 }
  /// The longest frame there is, with the header.
  private static var longest: Int { DeviceRing.maximumFrame }

  internal init(_ ring: consuming DeviceRing, size: Int, isMergeable: Bool, call: CInt) {
    self.ring = ring
    self.size = size
    self.isMergeable = isMergeable
    self.call = call
    unsafe spill = .allocate(byteCount: Self.longest, alignment: 4096)
    unsafe vectors = .allocate(capacity: IOVector.maximumCount)
  }

  deinit {
    unsafe spill.deallocate()
    unsafe vectors.deallocate()
  }

  /// Goes on with another ring; the old one is the caller's. (Swift 6.3.1 does not end a value that is assigned to.)
  internal mutating func exchangeRing(with other: inout DeviceRing) { swap(&ring, &other) }

  /// Takes what the tap has, as far as a turn goes. Whatever has come, the driver knows when this returns.
  internal mutating func turn(_ tap: CInt) -> Turn {
    var frames = 0
    var bytes = 0
    do throws(RingViolation) {
      if held.byteCount > 0, try !place() { return finish(.starved) }
      while frames < Turn.frames, bytes < Turn.bytes {
        guard try offer() else { return finish(.starved) }
        let room = list()
        let result = unsafe FrameIO.read(tap, vectors, count: room.count)
        if result < 0 {
          if result == FrameIO.interrupted { return finish(.more) }
          if result == FrameIO.fault { return finish(.lost) }
          // EAGAIN: there is no frame. Any other: there is no tap.
          return finish(.done)
        }
        frames &+= 1
        bytes &+= result
        if result <= room.byteCount {
          if patience > 0 { patience &-= result > 4096 ? 0 : 1 }
          ring.completeFrame(&chains, byteCount: result)
        } else {
          patience = Turn.frames
          held = (result, room.byteCount)
          if try !place() { return finish(.starved) }
        }
      }
    } catch {
      violation = error
      return finish(.broken)
    }
    return finish(.more)
  }

  /// Sees to it that there are chains to read into; false if the guest has given none.
  @inline(__always)
  private mutating func offer() throws(RingViolation) -> Bool {
    let wanted = patience > 0 && isMergeable ? Self.longest : 1
    while chains.byteCount < wanted {
      guard try ring.takeWritable(into: &chains, upTo: Turn.frames) > 0 else { break }
    }
    return !chains.isEmpty
  }

  /// Lists the segments for one read, the spill last. Returns how many there are, and how many bytes before the spill.
  ///
  /// Buffers that are neighbours in memory, as a Linux guest's mostly are, are one segment: the kernel takes a third longer for
  /// 64 KiB in 2 KiB pieces than for as much in one.
  @inline(__always)
  private mutating func list() -> (count: Int, byteCount: Int) {
    let first = Int(chains.first.segmentCount)
    let segments = unsafe isMergeable ? chains.segments : chains.firstSegments
    // Where frames are short the first chain holds nearly any.
    let limit = patience > 0 ? segments.count : min(first, Self.shortList - 1)
    var segment = unsafe segments[0]
    var byteCount = segment.byteCount
    var index = 1
    var count = 0
    while index < limit, byteCount < Self.longest, count < IOVector.maximumCount - 2 {
      let next = unsafe segments[index]
      if unsafe next.base == segment.base + segment.byteCount {
        segment.byteCount &+= next.byteCount
      } else {
        unsafe vectors[count] = segment
        count &+= 1
        segment = next
      }
      byteCount &+= next.byteCount
      index &+= 1
    }
    unsafe vectors[count] = segment
    unsafe vectors[count &+ 1] = IOVector(base: spill, byteCount: Self.longest)
    return (count &+ 2, byteCount)
  }

  /// Puts the frame that is held into the guest's buffers; false if there are not enough yet. One that no buffer of a
  /// guest without mergeable ones, or not even all of them together, can hold is dropped, as by any device.
  private mutating func place() throws(RingViolation) -> Bool {
    if isMergeable {
      guard try ring.takeWritable(into: &chains, byteCount: held.byteCount) else {
        if chains.count < size { return false }
        held = (0, 0)
        return true
      }
    } else {
      guard !chains.isEmpty else {
        _ = try ring.takeWritable(into: &chains, upTo: Turn.frames)
        if chains.isEmpty { return false }
        return try place()
      }
      guard chains.first.byteCount >= held.byteCount else {
        held = (0, 0)
        return true
      }
    }
    unsafe copy(chains.segments, from: held.placed, to: held.byteCount) { segment, place in
      unsafe segment.copyMemory(from: spill + (place.lowerBound - held.placed), byteCount: place.count)
    }
    ring.completeFrame(&chains, byteCount: held.byteCount)
    held = (0, 0)
    return true
  }

  /// Calls `body` for each segment's part of the bytes from `start` to `end` of them all.
  private func copy(
    _ segments: UnsafeBufferPointer<IOVector>, from start: Int, to end: Int,
    _ body: (UnsafeMutableRawPointer, Range<Int>) -> Void
  ) {
    var offset = 0
    for index in segments.indices where offset < end {
      let segment = unsafe segments[index]
      let next = offset + segment.byteCount
      if next > start {
        let from = max(start, offset)
        unsafe body(segment.base + (from - offset), from..<min(end, next))
      }
      offset = next
    }
  }

  @inline(__always)
  private mutating func finish(_ turn: Turn) -> Turn {
    ring.publish()
    if ring.needsCall(), call >= 0 { FrameIO.signal(call) }
    return turn
  }

  /// Puts back what was not filled. A frame that is held is all our own again. Returns where the ring has come to.
  internal mutating func giveBack() -> UInt16 {
    if held.placed > 0 {
      unsafe (spill + held.placed).copyMemory(from: spill, byteCount: held.byteCount - held.placed)
      unsafe copy(chains.segments, from: 0, to: held.placed) { segment, place in
        unsafe (spill + place.lowerBound).copyMemory(from: segment, byteCount: place.count)
      }
      held.placed = 0
    }
    ring.giveBack(&chains)
    return ring.base
  }
}
