import Testing

@testable import LoadGenerator

struct PercentilesTests {
  @Test func nothingHasNone() {
    #expect(Percentiles(nanoseconds: []) == nil)
  }

  @Test func nearestRank() throws {
    let thousand = try #require(Percentiles(nanoseconds: (1...1000).shuffled().map { UInt32($0 * 1000) }))
    #expect(thousand.count == 1000)
    #expect(thousand.p50 == 500 && thousand.p99 == 990 && thousand.p999 == 999)
    let one = try #require(Percentiles(nanoseconds: [2500]))
    #expect(one.p50 == 2.5 && one.p99 == 2.5 && one.p999 == 2.5)
    let ten = try #require(Percentiles(nanoseconds: (1...10).map { UInt32($0 * 1000) }))
    #expect(ten.p50 == 5 && ten.p99 == 10 && ten.p999 == 10)
  }
}
