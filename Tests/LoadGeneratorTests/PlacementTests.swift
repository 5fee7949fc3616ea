import Testing

@testable import LoadGenerator

struct PlacementTests {
  @Test func nobodySharesWhereThereAreEnough() {
    let placement = Placement(pairs: 2, cpus: [0, 2, 1, 3, 5])
    #expect(placement.workers == [0, 2] && placement.generators == [1, 3])
    #expect(placement.isExclusive)
  }

  @Test func twoHalvesWhereThereAreNot() {
    let two = Placement(pairs: 4, cpus: [0, 1])
    #expect(two.workers == [0, 0, 0, 0] && two.generators == [1, 1, 1, 1] && !two.isExclusive)
    let five = Placement(pairs: 4, cpus: [0, 1, 2, 3, 4])
    #expect(five.workers == [0, 1, 0, 1] && five.generators == [2, 3, 4, 2] && !five.isExclusive)
    let one = Placement(pairs: 2, cpus: [7])
    #expect(one.workers == [7, 7] && one.generators == [7, 7] && !one.isExclusive)
  }

  @Test func besideAStranger() {
    let beside = Placement(pairs: 2, cpus: [0, 1, 2, 3], beside: [1, 9])
    #expect(beside.generators == [0, 2] && beside.workers.isEmpty && beside.isExclusive)
    let full = Placement(pairs: 2, cpus: [0, 1], beside: [0, 1])
    #expect(full.generators == [0, 1] && !full.isExclusive)
  }
}
