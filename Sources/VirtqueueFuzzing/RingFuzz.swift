internal import LinuxIO
internal import Virtqueue

/// What any bytes at all are put through, by libFuzzer and by the generator: they are a script of what a guest does to its
/// memory and what is asked of the device's end of a ring in it. Traps if something is true afterwards that never may be.
///
/// Four bytes begin it (the ring's size, what was negotiated, the available index), then a step each: its number, and what
/// it takes.
public struct RingFuzz: ~Copyable {
  private var memory = FuzzMemory()
  private var queue = ChainQueue(capacity: 64)

  /// Memory for any number of inputs.
  public init() {}

  /// How far an input came, so that a test can tell that inputs come somewhere.
  public struct Outcome: Sendable {
    /// Chains that were taken.
    public var chains = 0
    /// Whether the ring was broken.
    public var isBroken = false
  }

  /// Runs one input.
  @discardableResult
  public mutating func run(_ input: [UInt8]) -> Outcome {
    var script = FuzzScript(input)
    let size = 1 << Int(script.byte() & 7)
    let features = DeviceRing.Features(rawValue: script.byte() & 15)
    let start = script.word()
    guard let layout = SplitRingLayout(size: size) else { fatalError("\(size) is no size") }
    memory.reset(layout, index: start)
    var ring = memory.device(features, base: start)
    var state = State(layout: layout, features: features, base: start, used: start, published: start)
    while let step = script.step() {
      if step < 6 { memory.change(step, &script) } else { ask(step, &script, &ring, &state) }
    }
    ring.giveBack(&queue)
    memory.checkUnchanged()
    return Outcome(chains: state.taken, isBroken: ring.isBroken)
  }

  private struct State {
    let layout: SplitRingLayout
    let features: DeviceRing.Features
    // What base must be, and the used index after a publish.
    var base: UInt16
    var used: UInt16
    var published: UInt16
    var taken = 0
  }

  /// A step on the device's end, and what is true behind it.
  private mutating func ask(
    _ step: UInt8, _ script: inout FuzzScript, _ ring: inout DeviceRing, _ state: inout State
  ) {
    let before = queue.count
    let wasBroken = ring.isBroken
    var written: [Int] = []
    do throws(RingViolation) {
      switch step {
      case 6: _ = try ring.takeReadable(into: &queue, upTo: Int(script.byte()))
      case 7: _ = try ring.takeWritable(into: &queue, upTo: Int(script.byte()))
      case 8:
        let wanted = Int(script.word())
        if try ring.takeWritable(into: &queue, byteCount: wanted) {
          check(queue.byteCount >= wanted, "fewer bytes than wanted")
        }
      case 9 where !queue.isEmpty:
        ring.complete(&queue)
        state.used &+= 1
      case 10 where !queue.isEmpty:
        let limit =
          state.features.contains(.mergeableReceiveBuffers) ? queue.byteCount : queue.first.byteCount
        let count = Int(script.word()) % (limit + 1)
        if count >= 12, !state.features.isDisjoint(with: [.mergeableReceiveBuffers, .version1]) {
          written = unsafe memory.places(of: 10..<12, in: queue.segments)
        }
        ring.completeFrame(&queue, byteCount: count)
        state.used &+= UInt16(truncatingIfNeeded: before - queue.count)
      case 11:
        ring.publish()
        // What is written only if there is something new, the guest may have overwritten.
        check(
          state.published == state.used || memory.word(state.layout.used + 2) == state.used,
          "the used index is another")
        state.published = state.used
      case 12: _ = ring.needsCall()
      case 13: _ = try ring.requestKicks()
      case 14: ring.suppressKicks()
      case 15:
        ring.giveBack(&queue)
        state.base &-= UInt16(truncatingIfNeeded: before)
      default: break
      }
      check(!wasBroken || !(6...8).contains(step) || queue.count == before, "taken from a broken ring")
    } catch {
      check(ring.isBroken, "a violation, and the ring is whole")
      check(wasBroken == (error == .broken), "\(error) of a ring that was \(wasBroken ? "" : "not ")broken")
    }
    if step < 9 {
      state.taken += queue.count - before
      state.base &+= UInt16(truncatingIfNeeded: queue.count - before)
    }
    check(ring.base == state.base, "base is \(ring.base)")
    checkQueue()
    memory.expect(written)
  }

  /// Every byte that was handed out is the guest's.
  private func checkQueue() {
    var bytes = 0
    let segments = unsafe queue.segments
    for index in segments.indices {
      let segment = unsafe segments[index]
      check(segment.byteCount > 0 && memory.contains(segment), "a segment outside memory")
      bytes += segment.byteCount
    }
    check(bytes == queue.byteCount && (bytes == 0) == queue.isEmpty, "the queue's bytes")
    if !queue.isEmpty {
      let first = queue.first
      let sum = unsafe queue.firstSegments.reduce(0) { $0 + $1.byteCount }
      check(sum == first.byteCount && first.segmentCount <= 1024, "the first chain's bytes")
    }
  }
}

internal func check(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}
