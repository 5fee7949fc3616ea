/// Something that happened to a ``Server``, for its log.
public enum ServerEvent: Sendable, Equatable, CustomStringConvertible {
  /// A front end has connected.
  case connected
  /// A message was not carried out, and the front end was told so.
  case refused(message: String, reason: String)
  /// A guest's driver has broken a ring's rules: that ring stands still, and the others go on.
  case ringBroken(ring: Int, reason: String)
  /// A connection has ended; every ring has stopped, and of those that ran this is where.
  case ended(reason: String, stops: [RingStop])
  /// No front end could be served.
  case trouble(String)

  /// Where a ring that ran has stopped: the next index of its available ring.
  public struct RingStop: Sendable, Equatable {
    /// The ring's index in the device.
    public let ring: Int
    /// What GET_VRING_BASE would have answered.
    public let index: UInt16
  }

  /// What a trouble of the plane's is to the log; nil for one that ends the connection.
  internal init?(_ trouble: PlaneTrouble) {
    guard case .ringBroken(let ring, let reason) = trouble else { return nil }
    self = .ringBroken(ring: ring, reason: reason)
  }

  /// Its name for machines.
  public var name: String {
    switch self {
    case .connected: "connected"
    case .refused: "refused"
    case .ringBroken: "ring broken"
    case .ended: "ended"
    case .trouble: "trouble"
    }
  }

  /// One line.
  public var description: String {
    switch self {
    case .connected: return "a front end has connected"
    case .refused(let message, let reason): return "refused \(message): \(reason)"
    case .ringBroken(let ring, let reason): return "ring \(ring) is broken: \(reason)"
    case .ended(let reason, let stops):
      guard !stops.isEmpty else { return "the connection has ended: \(reason)" }
      let list = stops.map { "\($0.ring) at \($0.index)" }.joined(separator: ", ")
      return "the connection has ended: \(reason); rings stopped: \(list)"
    case .trouble(let text): return text
    }
  }
}
