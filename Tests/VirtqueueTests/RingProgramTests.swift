import Testing
import VirtqueueFuzzing

/// Random programs of both ends: the same frames come out as go in. A failure names the seed.
@Suite struct RingProgramTests {
  @Test(arguments: 0..<10 as Range<UInt64>) func tenThousandPrograms(_ part: UInt64) {
    var program = RingProgram()
    var problems: [String] = []
    for seed in part * 10_000..<(part + 1) * 10_000 where problems.count < 5 {
      if let problem = program.run(seed: seed, frameCount: 6) { problems.append(problem) }
    }
    #expect(problems.isEmpty)
  }

  /// Both ways, long enough for the indices to go around.
  @Test(arguments: 0..<4 as Range<UInt64>) func aroundTheIndices(_ seed: UInt64) {
    var program = RingProgram()
    #expect(program.run(seed: 1000 + seed, frameCount: 70_000) == nil)
  }
}
