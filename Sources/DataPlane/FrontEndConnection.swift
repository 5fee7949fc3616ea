internal import LinuxIO
public import SystemPackage
public import VhostUser

/// A front end's side of a vhost-user socket: asks any back end, and waits for its answers.
///
/// One message at a time, each answered before the next is sent where the back end can (REPLY_ACK), so that what it
/// refuses is known by name.
public struct FrontEndConnection: ~Copyable {
  private let socket: OwnedDescriptor
  /// How long an answer may take, in milliseconds.
  private let patience: Int
  /// What both sides know how to do; empty before ``negotiate(required:optional:protocolFeatures:)``.
  public private(set) var protocolFeatures: ProtocolFeatures = []

  /// Why a back end could not be used.
  public enum Failure: Error, Equatable {
    /// It closed the connection.
    case closed
    /// No answer came within so many milliseconds.
    case silent(Int)
    /// It answered that it did not do it.
    case refused(String)
    /// It lacks a feature.
    case lacks([String])
    /// Its answer is none.
    case violation(ProtocolViolation)
    /// A call on the socket failed.
    case system(Errno)
  }

  /// Where a ring is, and the eventfds of both directions.
  public struct RingSetup {
    /// How many entries.
    public let size: Int
    /// Its parts, in user addresses of the memory table.
    public let addresses: RingAddresses
    /// Written by the driver, and by the device.
    public let kick: FileDescriptor
    /// Likewise.
    public let call: FileDescriptor

    /// Takes them; the descriptors are borrowed.
    public init(size: Int, addresses: RingAddresses, kick: FileDescriptor, call: FileDescriptor) {
      self.size = size
      self.addresses = addresses
      self.kick = kick
      self.call = call
    }
  }

  /// socket(2), connect(2) to a path; one that begins with `@` is of Linux's abstract space.
  public init(connectingTo path: String, patience: Int = 20_000) throws(Failure) {
    do {
      socket = try UnixStream.connect(to: path)
    } catch {
      throw .system(error)
    }
    self.patience = patience
  }

  /// The socket, borrowed: readable when the back end has closed it.
  public var descriptor: FileDescriptor { socket.descriptor }

  /// Sends bytes as they are.
  public func send(_ bytes: [UInt8], with descriptors: [FileDescriptor] = []) throws(Failure) {
    do {
      try UnixStream.send(bytes, with: descriptors, to: socket.descriptor)
    } catch {
      throw error == .brokenPipe ? .closed : .system(error)
    }
  }

  /// Exactly so many bytes of what comes next.
  public func read(_ count: Int) throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    do throws(Errno) {
      while bytes.count < count {
        let deadline = ContinuousClock.now + .milliseconds(patience)
        while try !LinuxKernel().poll([socket.descriptor], milliseconds: patience)[0] {
          // A signal ends poll(2) too.
          guard ContinuousClock.now < deadline else { throw Errno.timedOut }
        }
        var part: [UInt8] = []
        let received = try UnixStream.receive(from: socket.descriptor, into: &part, atMost: count - bytes.count)
        guard received.byteCount > 0 else { throw Errno.brokenPipe }
        bytes += part
      }
    } catch {
      switch error {
      case .timedOut: throw .silent(patience)
      case .brokenPipe, .connectionReset: throw .closed
      default: throw .system(error)
      }
    }
    return bytes
  }

  /// Sends a message and reads its answer.
  public func ask(
    _ message: FrontEndMessage, with descriptors: [FileDescriptor] = [], needsReply: Bool = false
  ) throws(Failure) -> BackEndReply {
    try send(message.encoded(needsReply: needsReply), with: descriptors)
    let start = try read(MessageHeader.byteCount)
    do throws(ProtocolViolation) {
      let header = try MessageHeader(bytes: start)
      let payload: [UInt8]
      do throws(Failure) {
        payload = try read(Int(header.payloadSize))
      } catch {
        throw ProtocolViolation.payloadIncomplete(announced: Int(header.payloadSize), got: 0)
      }
      return try BackEndReply.decode(header: header, payload: payload, replyTo: message.request)
    } catch {
      throw .violation(error)
    }
  }

  /// Likewise of a message whose answer is a number, or its acknowledgement.
  public func number(
    _ message: FrontEndMessage, with descriptors: [FileDescriptor] = []
  ) throws(Failure) -> UInt64 {
    guard case .number(let number) = try ask(message, with: descriptors, needsReply: true) else {
      throw .refused(message.request.name)
    }
    return number
  }

  /// Sends a message that must be done. A back end without REPLY_ACK says nothing to it, and closes if it did not.
  public func demand(_ message: FrontEndMessage, with descriptors: [FileDescriptor] = []) throws(Failure) {
    guard protocolFeatures.contains(.replyAck) else {
      return try send(message.encoded(), with: descriptors)
    }
    guard try number(message, with: descriptors) == 0 else { throw .refused(message.request.name) }
  }

  /// GET_FEATURES to SET_FEATURES, and all between: what both sides can do. Returns the features in force.
  ///
  /// - Parameters:
  ///   - required: what the back end must offer.
  ///   - optional: what is taken where it is offered.
  ///   - protocolFeatures: likewise; MQ and REPLY_ACK help.
  public mutating func negotiate(
    required: DeviceFeatures, optional: DeviceFeatures = [], protocolFeatures wanted: ProtocolFeatures
  ) throws(Failure) -> DeviceFeatures {
    let offered = DeviceFeatures(rawValue: try number(.getFeatures))
    guard offered.isSuperset(of: required) else { throw .lacks(required.subtracting(offered).names) }
    try send(FrontEndMessage.setOwner.encoded())
    if required.contains(.protocolFeatures) {
      let ours = ProtocolFeatures(rawValue: try number(.getProtocolFeatures)).intersection(wanted)
      try send(FrontEndMessage.setProtocolFeatures(ours).encoded())
      protocolFeatures = ours
    }
    let features = offered.intersection(required.union(optional))
    try demand(.setFeatures(features))
    return features
  }

  /// SET_VRING_NUM, _BASE, _ADDR, _CALL and _KICK of a fresh ring, which is not enabled yet.
  public func setUp(_ ring: Int, _ setup: RingSetup) throws(Failure) {
    let file = VringFile(ring: UInt8(truncatingIfNeeded: ring), hasDescriptor: true)
    try demand(.setVringNum(ring: UInt32(ring), size: setup.size))
    try demand(.setVringBase(ring: UInt32(ring), base: 0))
    try demand(.setVringAddr(ring: UInt32(ring), setup.addresses))
    try demand(.setVringCall(file), with: [setup.call])
    try demand(.setVringKick(file), with: [setup.kick])
  }
}
