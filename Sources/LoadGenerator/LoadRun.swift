internal import DataPlane
internal import LinuxIO
internal import SystemPackage

/// Measures what a plan says.
///
/// Where the back end is our own, everything happens in a network namespace that the calling thread makes and stays in.
/// Whatever ends this process, its children are killed by the kernel, and the namespace and the tap in it go with them;
/// nothing of it is in the file system. The process must have no other thread. Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and
/// CAP_NET_RAW for that, and nothing for a socket of somebody else's.
public enum LoadRun {
  /// Where it is.
  public struct Progress: Sendable, Equatable {
    /// How many measurements are done, and of how many.
    public let done: Int
    /// Likewise.
    public let count: Int
    /// What comes next.
    public let pairs: Int
    /// Likewise.
    public let size: Int
    /// Likewise.
    public let direction: LoadPlan.Direction
  }

  /// Something that could not be measured, and why.
  public struct Omission: Sendable, Equatable {
    /// Of which pairs and size.
    public let pairs: Int
    /// Likewise.
    public let size: Int
    /// What the back end lacks.
    public let reason: String
  }

  /// What came of it.
  public struct Outcome: Sendable, Equatable {
    /// In the plan's order.
    public internal(set) var measurements: [LoadMeasurement] = []
    /// What the back end cannot do.
    public internal(set) var omissions: [Omission] = []
  }

  /// Does it.
  ///
  /// - Parameter progress: called before each measurement.
  public static func measure(_ plan: LoadPlan, progress: (Progress) -> Void) throws(LoadError) -> Outcome {
    var isOurs = true
    if case .socket = plan.backEnd { isOurs = false }
    if isOurs { try enterNamespace() }
    var outcome = Outcome()
    for pairs in plan.pairs {
      for size in plan.sizes {
        do throws(LoadError) {
          let tap = isOurs ? try LoadTap(pairs: pairs) : nil
          try measure(plan, pairs, size, tap, &outcome, progress)
        } catch {
          guard !isOurs, case .backEnd(.lacks(let features)) = error else { throw error }
          let reason = "the back end has no \(features.joined(separator: ", "))"
          outcome.omissions.append(Omission(pairs: pairs, size: size, reason: reason))
        }
      }
    }
    return outcome
  }

  private static func measure(
    _ plan: LoadPlan, _ pairs: Int, _ size: Int, _ tap: LoadTap?, _ outcome: inout Outcome,
    _ progress: (Progress) -> Void
  ) throws(LoadError) {
    func report(_ direction: LoadPlan.Direction) {
      progress(
        Progress(
          done: outcome.measurements.count, count: plan.count, pairs: pairs, size: size, direction: direction))
    }
    report(plan.directions[0])
    var rig = try LoadRig.start(pairs: pairs, size: size, backEnd: plan.backEnd, tap: tap)
    let latency = try rig.latency(seconds: min(1, max(0.2, plan.seconds / 4)))
    for direction in plan.directions {
      report(direction)
      var measurement = try rig.measure(direction, seconds: plan.seconds)
      measurement.total.latency = latency.all
      for pair in 0..<pairs { measurement.flows[pair].latency = latency.pairs[pair] }
      outcome.measurements.append(measurement)
    }
    rig.end()
  }

  private static func enterNamespace() throws(LoadError) {
    do throws(Errno) {
      try NetworkNamespace.enterNew()
    } catch {
      throw .system("making a network namespace", error)
    }
    // Its own chatter would be among the frames. Where it cannot be switched off, it is counted apart.
    for name in ["all", "default"] {
      guard
        let file = try? LinuxKernel().open("/proc/sys/net/ipv6/conf/\(name)/disable_ipv6", nonBlocking: false)
      else { continue }
      let one: [UInt8] = [0x31]
      _ = try? unsafe one.withUnsafeBytes { try unsafe LinuxKernel().write(file.descriptor, $0) }
    }
  }
}
