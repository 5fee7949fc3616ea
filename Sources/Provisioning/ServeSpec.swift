/// How a device is to be served: what `mqctl serve NAME` is to be told.
public struct ServeSpec: Sendable, Equatable {
  /// Where to listen.
  public let socket: String
  /// How many pairs; nil for all that the device has.
  public let pairs: Int?
  /// Who serves it, a name or number; nil for whoever starts it.
  public let user: String?
  /// The socket's permissions, in octal; nil for 600.
  public let socketMode: String?
  /// The socket's group, a name or number.
  public let socketGroup: String?
  /// Who moves the packets; nil for whoever there is.
  public let datapath: Datapath?
  /// How long a thread of the userspace data path looks for more work, in microseconds; nil for not at all.
  public let busyPoll: Int?

  /// Who moves the packets.
  public enum Datapath: String, CaseIterable, Sendable {
    /// The kernel if it can, else userspace.
    case auto
    /// vhost-net.
    case kernel
    /// A thread a pair of `mqctl serve`.
    case userspace
  }

  /// What `mqctl serve` takes.
  public init(
    socket: String, pairs: Int? = nil, user: String? = nil, socketMode: String? = nil, socketGroup: String? = nil,
    datapath: Datapath? = nil, busyPoll: Int? = nil
  ) {
    self.socket = socket
    self.pairs = pairs
    self.user = user
    self.socketMode = socketMode
    self.socketGroup = socketGroup
    self.datapath = datapath
    self.busyPoll = busyPoll
  }

  /// vhost-user counts rings in a byte.
  public static let pairRange = 1...128

  /// Up to a second.
  public static let busyPollRange = 0...1_000_000
}
