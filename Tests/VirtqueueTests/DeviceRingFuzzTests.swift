import Testing
import VhostUserFuzzing
import VirtqueueFuzzing

/// The generator's fixed budget on the device's end: scripts that have been tampered with, and any bytes. Nothing may trap.
@Suite struct DeviceRingFuzzTests {
  @Test(arguments: 0..<10 as Range<UInt64>) func mutatedScripts(_ seed: UInt64) {
    var mutation = FuzzScriptMutation(seed: seed)
    var fuzz = RingFuzz()
    var (chains, broken) = (0, 0)
    for _ in 0..<1000 {
      let outcome = fuzz.run(mutation.next())
      chains += outcome.chains
      broken += outcome.isBroken ? 1 : 0
    }
    // A generator whose rings are all broken at once, or none of them, proves nothing.
    #expect(chains > 2000 && broken > 100 && broken < 900)
  }

  @Test func anyBytes() {
    var generator = SeededGenerator(seed: 1)
    var fuzz = RingFuzz()
    for _ in 0..<2000 {
      let count = Int.random(in: 0..<200, using: &generator)
      fuzz.run((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
  }

  @Test(arguments: FuzzScripts.all.map(\.name)) func scriptsComeSomewhere(_ name: String) throws {
    let input = try #require(FuzzScripts.all.first { $0.name == name }?.input)
    var fuzz = RingFuzz()
    let outcome = fuzz.run(input)
    #expect(outcome.isBroken == (name == "behind"))
    #expect(name == "behind" ? outcome.chains == 0 : outcome.chains > 0)
  }
}

/// The guest changes what the device reads, while it reads it.
@Suite struct RingRaceTests {
  @Test func whatIsHandedOutIsTheGuests() async {
    let outcome = await RingRace().run(rounds: 20_000)
    #expect(outcome.chains > 0 && outcome.violations > 0)
  }
}
