/// Which CPU each pair's worker and each pair's load generator runs on.
public struct Placement: Sendable, Equatable {
  /// Of pair *i* worker *i*.
  public let workers: [Int]
  /// Likewise.
  public let generators: [Int]
  /// Whether no worker and no generator share a CPU with another.
  public let isExclusive: Bool

  /// Workers get the first CPUs, generators those after them. Where there are not enough for all, workers share one half
  /// and generators the other; a single CPU is everybody's.
  ///
  /// - Parameter cpus: what there is, in the order of preference; not empty.
  public init(pairs: Int, cpus: [Int]) {
    isExclusive = cpus.count >= 2 * pairs
    let half = isExclusive ? pairs : max(1, cpus.count / 2)
    let front = Array(cpus.prefix(half))
    let back = cpus.count > half ? Array(cpus.dropFirst(half)) : front
    workers = (0..<pairs).map { front[$0 % front.count] }
    generators = (0..<pairs).map { back[$0 % back.count] }
  }

  /// Generators only, beside a back end that is not ours and uses some of the CPUs already.
  public init(pairs: Int, cpus: [Int], beside busy: Set<Int>) {
    let free = cpus.filter { !busy.contains($0) }
    let places = free.isEmpty ? cpus : free
    workers = []
    generators = (0..<pairs).map { places[$0 % places.count] }
    isExclusive = free.count >= pairs
  }
}
