internal import LinuxIO
public import SystemPackage

/// A QMP connection to a running QEMU: greeting, qmp_capabilities, then commands, one at a time.
///
/// Nothing of the server is believed: a line has a length limit, each answer a time limit, and an answer must carry its
/// command's `id`. QEMU serves one connection of a socket at a time; the next is greeted when the one before has ended.
public struct QmpSession: ~Copyable {
  private let connection: UnixConnection
  private var buffer = LineBuffer()
  private var lastID = 0
  /// Held against another mqctl that came over another socket of the same QEMU.
  private var lock: OwnedDescriptor?
  /// What happened since the connection was made, the latest at the end; older ones go.
  private var events: [(name: String, data: JSON)] = []

  /// How long an answer may take.
  public let seconds: Int
  /// QEMU's major version.
  public private(set) var majorVersion = 0
  /// QEMU's process; nil where it is in a process namespace that this one does not see.
  public var process: Int? { connection.peerProcess }

  /// connect(2), the greeting, and `qmp_capabilities`.
  public static func connect(to path: String, seconds: Int) throws(HypervisorError) -> QmpSession {
    var session = QmpSession(try HypervisorError.connection(to: path, seconds: seconds), seconds)
    let end = ContinuousClock.now + .seconds(seconds)
    guard case .greeting(let major, _) = try session.nextMessage(until: end, step: "the greeting") else {
      throw .nonsense(step: "the greeting", what: "a message of another kind")
    }
    session.majorVersion = major
    if let process = session.process {
      do throws(Errno) {
        session.lock = try ProcessControl.lock(process: process, until: end)
      } catch {
        // Somebody who may connect, and not look into the process, does without.
        if error == .timedOut {
          throw .conflict("another mqctl works on that QEMU", mend: "wait for its end, or raise --timeout")
        }
      }
    }
    try session.execute(QmpCommand("qmp_capabilities"))
    return session
  }

  private init(_ connection: consuming UnixConnection, _ seconds: Int) {
    self.connection = connection
    self.seconds = seconds
  }

  /// Sends a command, with a descriptor by SCM_RIGHTS where it takes one, and waits for its answer.
  public mutating func ask(
    _ command: QmpCommand, passing descriptor: FileDescriptor? = nil
  ) throws(HypervisorError) -> Result<JSON, QmpRefusal> {
    lastID += 1
    let end = ContinuousClock.now + .seconds(seconds)
    do throws(Errno) {
      try connection.send(command.line(id: lastID), with: descriptor.map { [$0] } ?? [], until: end)
    } catch {
      throw HypervisorError(error, step: command.step, seconds: seconds)
    }
    while true {
      switch try nextMessage(until: end, step: command.step) {
      case .event(let name, let data): note(name, data)
      case .result(let value, lastID): return .success(value)
      case .error(let refusal, lastID): return .failure(refusal)
      // QEMU leaves the id out where it could not read the command.
      case .error(let refusal, nil): return .failure(refusal)
      case .greeting, .result, .error:
        throw .nonsense(step: command.step, what: "an answer to another command")
      }
    }
  }

  /// Likewise of a command that must be done.
  @discardableResult
  public mutating func execute(
    _ command: QmpCommand, passing descriptor: FileDescriptor? = nil
  ) throws(HypervisorError) -> JSON {
    switch try ask(command, passing: descriptor) {
    case .success(let value): return value
    case .failure(let refusal): throw .refused(step: command.step, words: refusal.words)
    }
  }

  /// Waits until `isWanted` says yes to an event, those that have come already included; nil if none did in time.
  public mutating func event(
    until end: ContinuousClock.Instant, where isWanted: (String, JSON) -> Bool
  ) throws(HypervisorError) -> String? {
    if let (name, _) = events.first(where: { isWanted($0.name, $0.data) }) { return name }
    while true {
      do throws(HypervisorError) {
        guard case .event(let name, let data) = try nextMessage(until: end, step: "an event") else {
          throw .nonsense(step: "an event", what: "an answer that nobody asked for")
        }
        if isWanted(name, data) { return name }
      } catch {
        if case .silent = error { return nil }
        throw error
      }
    }
  }

  private mutating func note(_ name: String, _ data: JSON) {
    if events.count == 64 { events.removeFirst() }
    events.append((name, data))
  }

  private mutating func nextMessage(
    until end: ContinuousClock.Instant, step: String
  ) throws(HypervisorError) -> QmpMessage {
    while true {
      if let line = buffer.next() {
        guard !line.isEmpty else { continue }
        guard let message = QmpMessage(line: line) else {
          throw .nonsense(step: step, what: Text.line(String(decoding: line.prefix(200), as: UTF8.self)))
        }
        return message
      }
      guard !buffer.isOverfull else {
        throw .nonsense(step: step, what: "a line of more than \(LineBuffer.maximumLine) bytes")
      }
      do throws(Errno) {
        buffer.append(try connection.receive(atMost: 1 << 16, until: end))
      } catch {
        throw HypervisorError(error, step: step, seconds: seconds)
      }
    }
  }
}

extension QmpRefusal: Error {}
