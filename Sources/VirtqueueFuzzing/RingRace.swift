internal import LinuxIO
internal import Synchronization
internal import VhostUserFuzzing
internal import Virtqueue

/// A guest that changes its ring while the device reads it: whatever is handed out must be the guest's all the same, as nothing is
/// read a second time after it was checked.
public final class RingRace: @unchecked Sendable {
  private let memory: FuzzMemory
  private let layout: SplitRingLayout
  private let isOver = Atomic(false)

  /// A ring of 16 entries.
  public init() {
    guard let layout = SplitRingLayout(size: 16) else { fatalError("16 is a size") }
    self.layout = layout
    var memory = FuzzMemory()
    memory.reset(layout, index: 0)
    self.memory = memory
  }

  /// Takes chains so many times while another thread changes descriptors; says how many chains were whole, and how many takes
  /// ended in a violation.
  public func run(rounds: Int) async -> (chains: Int, violations: Int) {
    async let changes: Void = change(atMost: 1000 * rounds)
    let outcome = take(rounds)
    isOver.store(true, ordering: .relaxed)
    await changes
    return outcome
  }

  private func take(_ rounds: Int) -> (chains: Int, violations: Int) {
    var queue = ChainQueue()
    var chains = 0
    var violations = 0
    for round in 0..<rounds {
      var ring = memory.device([.indirectDescriptors], base: memory.word(layout.available + 2) &- 8)
      do throws(RingViolation) {
        _ =
          try round & 1 == 0
          ? ring.takeReadable(into: &queue, upTo: 8) : ring.takeWritable(into: &queue, upTo: 8)
      } catch { violations += 1 }
      chains += queue.count
      var bytes = 0
      let segments = unsafe queue.segments
      for index in segments.indices {
        let segment = unsafe segments[index]
        check(segment.byteCount > 0 && memory.contains(segment), "a segment outside memory")
        bytes += segment.byteCount
      }
      check(bytes == queue.byteCount, "the queue's bytes")
      ring.giveBack(&queue)
    }
    return (chains, violations)
  }

  /// Descriptors that are good, and such that are not, in turn in the same places.
  private func change(atMost steps: Int) async {
    var generator = SeededGenerator(seed: 7)
    var step = 0
    while step < steps, !isOver.load(ordering: .relaxed) {
      step += 1
      let choice = generator.next()
      let isTable = choice & 1 == 0
      let position = Int(choice >> 8 & 15)
      let isGood = choice >> 1 & 7 != 0
      let address: UInt64 = isGood ? 0x20000 + (choice >> 16 & 0xfff) : choice
      let length = isGood ? 1 + choice >> 32 & 0x7f : choice >> 32 & 0xffff_ffff
      // Half of the ring's go to a table; half of the rest go on.
      let toTable = !isTable && choice >> 5 & 1 == 0
      let flags: UInt64 = toTable ? 4 : choice >> 6 & 3
      let next = choice >> 40 & (isGood ? 15 : 31)
      memory.describe(
        position, inTable: isTable, address: toTable && isGood ? 0x11000 : address,
        rest: (toTable && isGood ? 256 : length & 0xffff_ffff) | flags << 32 | next << 48)
      memory.offer(position, slot: Int(choice >> 48 & 15))
    }
  }
}
