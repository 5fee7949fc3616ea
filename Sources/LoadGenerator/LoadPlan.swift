/// What is to be measured, in the order in which it is.
public struct LoadPlan: Sendable, Equatable {
  /// Which way frames go.
  public enum Direction: String, Sendable, CaseIterable {
    /// Out of the guest.
    case transmit = "tx"
    /// To the guest.
    case receive = "rx"
    /// Both ways at once.
    case both
  }

  /// Who is at the other end of the rings.
  public enum BackEnd: Sendable, Equatable {
    /// `mqctl serve` on the kernel's vhost-net, started for this.
    case kernel
    /// `mqctl serve` on its own threads, likewise.
    case userspace
    /// Any that listens there.
    case socket(String)

    /// `kernel`, `userspace` or the path.
    public var name: String {
      switch self {
      case .kernel: "kernel"
      case .userspace: "userspace"
      case .socket(let path): path
      }
    }
  }

  /// How many queue pairs.
  public let pairs: [Int]
  /// Bytes a frame.
  public let sizes: [Int]
  /// Which ways.
  public let directions: [Direction]
  /// How long each is measured.
  public let seconds: Double
  /// Who is measured.
  public let backEnd: BackEnd

  /// Takes them.
  public init(pairs: [Int], sizes: [Int], directions: [Direction], seconds: Double, backEnd: BackEnd) {
    self.pairs = pairs
    self.sizes = sizes
    self.directions = directions
    self.seconds = seconds
    self.backEnd = backEnd
  }

  /// How many measurements there are.
  public var count: Int { pairs.count * sizes.count * directions.count }
}
