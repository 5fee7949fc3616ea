import Testing

@testable import LoadGenerator

struct TapCountersTests {
  private static let table = """
    Inter-|   Receive                                                |  Transmit
     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
        lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
     bench0: 1234567   54321    2    3    0     0          0         0  7654321   12345    4    5    0     0       0          0
    """

  @Test func aLinksLine() throws {
    let counters = try #require(TapCounters(of: "bench0", in: Self.table))
    #expect(counters.fromGuests == 54321 && counters.fromGuestsDropped == 5)
    #expect(counters.toGuests == 12345 && counters.toGuestsDropped == 9)
    #expect(TapCounters(of: "bench", in: Self.table) == nil)
    #expect(TapCounters(of: "bench0", in: "bench0: 1 2 3") == nil)
  }

  @Test func whatWasCountedSince() throws {
    let early = try #require(TapCounters(of: "lo", in: Self.table))
    let late = try #require(TapCounters(of: "bench0", in: Self.table))
    let difference = late.since(early)
    #expect(difference.fromGuests == 54320 && difference.toGuests == 12344)
  }
}
