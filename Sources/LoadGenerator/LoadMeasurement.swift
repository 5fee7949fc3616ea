/// What was measured of so many pairs, one frame size and one direction.
public struct LoadMeasurement: Sendable, Equatable {
  /// Of one pair, or of all together.
  public struct Flow: Sendable, Equatable {
    /// Frames a second that the device took from the guest.
    public internal(set) var transmitted = 0.0
    /// Frames a second that came out of the guest's ring.
    public internal(set) var received = 0.0
    /// CPU seconds a second of the worker; nil where it is not known which thread is this pair's.
    public internal(set) var workerLoad: Double?
    /// CPU seconds a second of the load generator.
    public internal(set) var generatorLoad = 0.0
    /// The CPUs they ran on.
    public internal(set) var workerCPUs: [Int] = []
    /// Likewise.
    public internal(set) var generatorCPUs: [Int] = []
    /// Frames that were sent and did not arrive, from start to end.
    public internal(set) var lost = 0
    /// Round trips.
    public internal(set) var latency: Percentiles?

    /// Frames a second, both ways together.
    public var rate: Double { transmitted + received }
    /// Bits of Ethernet frames a second, in 10⁹.
    public func gigabits(size: Int) -> Double { rate * Double(size) * 8 / 1e9 }
    /// CPU seconds of the workers for a million frames; nil where nothing moved or the thread is not known.
    public var workerSeconds: Double? { rate > 0 ? workerLoad.map { $0 / rate * 1e6 } : nil }
    /// CPU seconds of the generators for a million frames.
    public var generatorSeconds: Double? { rate > 0 ? generatorLoad / rate * 1e6 : nil }
  }

  /// How many pairs.
  public let pairs: Int
  /// Bytes a frame.
  public let size: Int
  /// Which way.
  public let direction: LoadPlan.Direction
  /// How long it was measured.
  public let seconds: Double
  /// Of each pair.
  public internal(set) var flows: [Flow]
  /// Of all together.
  public internal(set) var total: Flow
  /// Bytes of the frames that latency was measured with.
  public let latencySize: Int
  /// Frames that came out of another pair's ring.
  public internal(set) var stray: Int
  /// What the tap counted from start to end; nil where there is no tap of ours.
  public internal(set) var tap: TapCounters?
  /// Frames that the rings counted in the same time: taken from guests, and given to them.
  public internal(set) var ringsTransmitted: Int
  /// Likewise.
  public internal(set) var ringsReceived: Int
  /// Of the time in which workers and generators could have run, the part in which they waited for a CPU.
  public internal(set) var waited: Double
  /// Whether no worker and no generator shared a CPU.
  public internal(set) var isExclusive: Bool

  /// How many times the rate of `base`, in the same direction and size.
  public func scale(from base: LoadMeasurement) -> Double? {
    base.total.rate > 0 ? total.rate / base.total.rate : nil
  }
}
