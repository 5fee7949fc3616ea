internal import BasicContainers
internal import LinuxIO
public import Orchestrator
public import SystemPackage
public import TapMQ
internal import VhostKernel
internal import VhostUser

/// A vhost-user back end on a plane that moves the frames: one front end at a time, and one thread that does nothing
/// while they move.
///
/// When a front end goes, in whatever way, its rings stop, its memory is unmapped and the plane forgets it (the kernel's
/// by VHOST_RESET_OWNER); then the next one is served. Nothing here needs a privilege once the pairs are open.
public struct Server<Moving: Plane & ~Copyable>: ~Copyable {
  /// How many refusals a connection survives: each is a line in the log.
  private static var refusalLimit: Int { 100 }

  private let kernel: Moving.Kernel
  private let offer: Offer
  private var device: BackEnd<Moving>

  /// Takes the pairs over, of which there may be 128.
  ///
  /// - Parameters:
  ///   - offloads: what this kernel's tap can do.
  ///   - keepsCarrier: whether the tap has its carrier also while nobody is served.
  public init(
    _ set: consuming PairSet<Moving.Kernel>, on plane: consuming Moving, offloads: [TapOffload], keepsCarrier: Bool,
    kernel: Moving.Kernel
  ) throws(PlaneError) {
    let pairs = set.count
    let mtu = UInt16(clamping: set.device.link.mtu)
    let mac = set.device.link.mac?.guestSide.bytes ?? []
    let device = try BackEnd(set, on: plane, keepsCarrier: keepsCarrier, kernel: kernel)
    let features = FeatureSplit.offered(vhost: device.offered, tap: offloads, pairs: pairs)
    let protocolFeatures: ProtocolFeatures = [
      .multiQueue, .logSharedMemory, .rarp, .replyAck, .mtu, .resetDevice, .configureMemorySlots, .status,
    ]
    offer = Offer(
      deviceFeatures: features, protocolFeatures: protocolFeatures, queuePairs: pairs, mtu: mtu,
      config: NetConfig(mac: mac, queuePairs: pairs, mtu: mtu))
    self.kernel = kernel
    self.device = device
  }

  /// How many pairs.
  public var pairCount: Int { offer.queuePairs }

  /// Once, before ``run(on:until:once:report:)``, as the user that this process is to be: a plane that has threads makes
  /// them now, so that they are as unprivileged as all that follows.
  public mutating func start() throws(PlaneError) { try device.start() }

  /// Serves front ends until the process is to end.
  ///
  /// - Parameters:
  ///   - listener: a listening socket that does not block.
  ///   - termination: becomes readable when the process is to end.
  ///   - once: whether to end after the first front end.
  ///   - report: called with what happens.
  public mutating func run(
    on listener: FileDescriptor, until termination: FileDescriptor, once: Bool, report: (ServerEvent) -> Void
  ) throws(PlaneError) {
    while true {
      do throws(Errno) {
        if try kernel.poll([termination, listener], milliseconds: -1)[0] { return }
      } catch {
        throw PlaneError("poll", error)
      }
      let socket: OwnedDescriptor
      do throws(Errno) {
        socket = try UnixStream.accept(on: listener)
      } catch {
        if error == .wouldBlock || error == .interrupted || error == .connectionAbort { continue }
        guard [Errno.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory].contains(error) else {
          throw PlaneError("accept", error)
        }
        report(.trouble("accept: \(error)"))
        // It would say so again at once.
        _ = try? kernel.poll([termination], milliseconds: 1000)
        continue
      }
      let ending = serve(Connection(socket, termination: termination, alarm: device.alarm, kernel: kernel), report)
      if once || ending == .termination { return }
    }
  }

  /// One front end, from its first message to its last. The socket is closed when all has stopped.
  private mutating func serve(
    _ connection: consuming Connection<Moving.Kernel>, _ report: (ServerEvent) -> Void
  ) -> Connection<Moving.Kernel>.Ending {
    report(.connected)
    let ending: Connection<Moving.Kernel>.Ending
    do throws(PlaneError) {
      try device.begin()
      ending = converse(connection, report)
    } catch {
      ending = .failure("it cannot be served: \(error)")
    }
    let reason =
      switch ending {
      case .hangUp: "the front end has gone"
      case .termination: "this program is to end"
      case .failure(let text): text
      }
    do throws(PlaneError) {
      let stops = try device.end().map { ServerEvent.RingStop(ring: $0.ring, index: $0.base) }
      report(.ended(reason: reason, stops: stops))
    } catch {
      report(.ended(reason: reason, stops: []))
      report(.trouble("giving the pairs back: \(error)"))
    }
    return ending
  }

  private mutating func converse(
    _ connection: borrowing Connection<Moving.Kernel>, _ report: (ServerEvent) -> Void
  ) -> Connection<Moving.Kernel>.Ending {
    var session = Session(offer: offer)
    var refusals = 0
    while true {
      do throws(Connection<Moving.Kernel>.Ending) {
        var events: [ServerEvent] = []
        if let message = try connection.next() {
          if let refusal = try handle(message, &session, connection) { events.append(refusal) }
        } else {
          let troubles = device.takeTroubles()
          if troubles.contains(.memoryLost) {
            return .failure("its memory is gone: a file that it shared was made shorter")
          }
          events = troubles.compactMap(ServerEvent.init)
        }
        events.forEach(report)
        refusals += events.count
        if refusals > Self.refusalLimit {
          return .failure("more than \(Self.refusalLimit) messages were refused, or rings broken")
        }
      } catch {
        return error
      }
    }
  }

  /// Carries one message out and answers it. Returns its refusal, if the connection goes on all the same.
  private mutating func handle(
    _ message: borrowing Connection<Moving.Kernel>.Message, _ session: inout Session,
    _ connection: borrowing Connection<Moving.Kernel>
  ) throws(Connection<Moving.Kernel>.Ending) -> ServerEvent? {
    let header = message.header
    let before = session
    let action: Action
    do throws(ProtocolViolation) {
      action = try session.receive(
        FrontEndMessage.decode(header: header, payload: message.payload, descriptorCount: message.files.count))
    } catch {
      guard case .reply(let bytes) = session.refusal(of: header, because: error) else { throw .failure("\(error)") }
      try connection.send(bytes)
      return .refused(message: Self.name(header), reason: "\(error)")
    }
    var answer: [UInt8]?
    do throws(PlaneError) {
      switch action {
      case .reply(let bytes): answer = bytes
      case .stop(let ring):
        try device.carryOut(action, message.files, for: session)
        answer = session.replyBase(ring: ring, base: try device.base(of: ring))
      default:
        try device.carryOut(action, message.files, for: session)
        answer = session.acknowledgement(of: header, failed: false)
      }
    } catch {
      session = before
      do throws(PlaneError) {
        try device.restore(session)
      } catch let second {
        throw .failure("\(Self.name(header)): \(error); then \(second)")
      }
      // A front end that cannot be told would go on in the belief that it was done.
      guard let bytes = session.acknowledgement(of: header, failed: true) else {
        throw .failure("\(Self.name(header)): \(error)")
      }
      try connection.send(bytes)
      return .refused(message: Self.name(header), reason: "\(error)")
    }
    if let answer { try connection.send(answer) }
    return nil
  }

  private static func name(_ header: MessageHeader) -> String {
    FrontEndRequest(rawValue: header.request).map(\.name) ?? "request \(header.request)"
  }
}
