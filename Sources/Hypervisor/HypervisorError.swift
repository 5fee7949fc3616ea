internal import LinuxIO
public import SystemPackage

/// Why a hypervisor did not take a device, or give it back. It says what is known; the mend is the command's.
public enum HypervisorError: Error, Equatable {
  /// Nobody could be connected to at that path.
  case unreachable(String, Errno)
  /// No answer within so many seconds.
  case silent(step: String, seconds: Int)
  /// The connection ended before the answer.
  case closed(step: String)
  /// The transport failed otherwise.
  case transport(step: String, Errno)
  /// The answer is nothing that the protocol has.
  case nonsense(step: String, what: String)
  /// The hypervisor said no, in these words.
  case refused(step: String, words: String)
  /// Something else is there.
  case conflict(String, mend: String)
  /// The guest's memory cannot be shared with a back end.
  case memoryNotShared(String, mend: String)
  /// A device's property has a value that its type does not have.
  case badProperty(String)
  /// The guest was asked to give a device back, and did not in that time.
  case guestKeeps(identifier: String, seconds: Int)
  /// The guest refused to.
  case guestRefuses(identifier: String)
  /// Nobody serves at the vhost-user socket.
  case backEnd(socket: String, what: String)
  /// An attachment failed for that reason; what had been done was undone but for what is listed.
  indirect case undone(HypervisorError, left: [String])

  /// Whether nothing more can be said to the hypervisor over this connection.
  internal var isOfTransport: Bool {
    switch self {
    case .silent, .closed, .transport, .nonsense: true
    default: false
    }
  }
}

extension HypervisorError {
  /// What a call on the connection said while a step waited for its answer.
  internal init(_ errno: Errno, step: String, seconds: Int) {
    switch errno {
    case .timedOut: self = .silent(step: step, seconds: seconds)
    case .connectionReset: self = .closed(step: step)
    default: self = .transport(step: step, errno)
    }
  }

  /// Connects to a hypervisor's socket.
  internal static func connection(to path: String, seconds: Int) throws(HypervisorError) -> UnixConnection {
    do throws(Errno) {
      return try UnixConnection(to: path, until: .now + .seconds(seconds))
    } catch {
      throw error == .timedOut ? .silent(step: "connect", seconds: seconds) : .unreachable(path, error)
    }
  }
}
