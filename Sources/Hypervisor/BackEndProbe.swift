internal import LinuxIO
internal import SystemPackage
internal import VhostUser

/// Whether somebody serves at a vhost-user socket, asked before a hypervisor is sent there: QEMU waits for a back end's
/// answers without a limit, and its guest with it.
public enum BackEndProbe {
  /// Connects and asks VHOST_USER_GET_FEATURES.
  public static func check(_ socket: String, seconds: Int) throws(HypervisorError) {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try answer(of: socket, until: .now + .seconds(seconds))
    } catch {
      switch error {
      case .timedOut:
        throw .backEnd(
          socket: socket, what: "no answer in \(seconds) s: it serves another front end, or nobody serves there")
      case .connectionReset: throw .backEnd(socket: socket, what: "it ended the connection")
      default: throw .backEnd(socket: socket, what: "\(error)")
      }
    }
    do throws(ProtocolViolation) {
      let header = try MessageHeader(bytes: Array(bytes.prefix(MessageHeader.byteCount)))
      _ = try BackEndReply.decode(
        header: header, payload: Array(bytes.dropFirst(MessageHeader.byteCount)), replyTo: .getFeatures)
    } catch {
      throw .backEnd(socket: socket, what: "its answer is not vhost-user's: \(error)")
    }
  }

  private static func answer(of socket: String, until end: ContinuousClock.Instant) throws(Errno) -> [UInt8] {
    let connection = try UnixConnection(to: socket, until: end)
    try connection.send(FrontEndMessage.getFeatures.encoded(), until: end)
    var bytes: [UInt8] = []
    while bytes.count < MessageHeader.byteCount + 8 {
      bytes += try connection.receive(atMost: MessageHeader.byteCount + 8 - bytes.count, until: end)
    }
    return bytes
  }
}
