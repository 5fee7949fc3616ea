internal import DataPlane
internal import LinuxIO
internal import SystemPackage
internal import VhostUser

/// Who is at the other end of the rings, and the connection to it, with features negotiated.
internal struct LoadBackEnd: ~Copyable {
  private var served: ServedBackEnd?
  /// To its socket.
  let connection: FrontEndConnection
  /// What was negotiated.
  let features: DeviceFeatures
  /// Its process; nil if this PID namespace does not have it.
  let process: Int?

  /// Starts it, unless it is a stranger, and connects.
  init(_ kind: LoadPlan.BackEnd, pairs: Int, size: Int, tap: LoadTap?) throws(LoadError) {
    var served: ServedBackEnd?
    var socket = kind.name
    var process: Int?
    if tap != nil {
      let started = try ServedBackEnd(tap: LoadTap.name, datapath: kind.name)
      socket = started.socket
      process = started.processID
      served = consume started
    }
    let connection: FrontEndConnection
    var features: DeviceFeatures = []
    do throws(LoadError) {
      connection = try Self.connect(to: socket, pairs: pairs, size: size, tap, &features)
    } catch {
      throw Self.explain(error, &served)
    }
    self.process = tap == nil ? (try? UnixStream.peer(of: connection.descriptor)) ?? nil : process
    self.connection = connection
    self.features = features
    self.served = served
  }

  /// What it said itself, where it was started for this and has closed the connection; else the error as it is.
  mutating func failure(_ error: LoadError) -> LoadError { Self.explain(error, &served) }

  private static func explain(_ error: LoadError, _ served: inout ServedBackEnd?) -> LoadError {
    guard case .backEnd(.closed) = error, var gone = served.take() else { return error }
    return gone.failure()
  }

  private static func connect(
    to socket: String, pairs: Int, size: Int, _ tap: LoadTap?, _ features: inout DeviceFeatures
  ) throws(LoadError) -> FrontEndConnection {
    var connection: FrontEndConnection
    do throws(FrontEndConnection.Failure) {
      connection = try FrontEndConnection(connectingTo: socket)
    } catch {
      throw .backEnd(error)
    }
    do throws(FrontEndConnection.Failure) {
      var required: DeviceFeatures = [.version1, .protocolFeatures]
      if LoadFrame.isSegmented(size) { required.formUnion([.checksum, .hostTSO4, .guestChecksum, .guestTSO4]) }
      if pairs > 1 { required.insert(.multiQueue) }
      features = try connection.negotiate(
        required: required, optional: [.eventIndex, .mergeableReceiveBuffers],
        protocolFeatures: [.multiQueue, .replyAck])
      if pairs > 1 {
        let offered = Int(truncatingIfNeeded: try connection.number(.getQueueNum))
        guard offered >= pairs else { throw FrontEndConnection.Failure.lacks(["\(pairs) queue pairs"]) }
      }
    } catch {
      throw .backEnd(error)
    }
    // It has opened the tap's queues, or it could not answer.
    try tap?.awaitCarrier()
    return connection
  }
}
