/// What is kept of many round trips.
public struct Percentiles: Sendable, Equatable {
  /// How many there were.
  public let count: Int
  /// Half of them took no longer, in microseconds.
  public let p50: Double
  /// 99 of 100.
  public let p99: Double
  /// 999 of 1000; no more than the longest where there were fewer.
  public let p999: Double

  /// By the nearest-rank method; nil of nothing.
  public init?(nanoseconds: [UInt32]) {
    guard !nanoseconds.isEmpty else { return nil }
    let sorted = nanoseconds.sorted()
    // In thousandths, so that no rounding of a fraction moves a rank.
    func rank(_ thousandths: Int) -> Double {
      Double(sorted[max(1, (sorted.count * thousandths + 999) / 1000) - 1]) / 1000
    }
    count = sorted.count
    p50 = rank(500)
    p99 = rank(990)
    p999 = rank(999)
  }
}
