internal import BasicContainers
internal import LinuxIO
internal import SystemPackage
internal import VhostUser

/// One front end's connection: whole messages, one after the other, and answers.
internal struct Connection<Kernel: KernelInterface>: ~Copyable {
  /// How long a peer may take from a message's first byte to its last.
  internal static var patience: Duration { .seconds(10) }

  private let kernel: Kernel
  private let socket: OwnedDescriptor
  private let termination: FileDescriptor
  private let alarm: FileDescriptor?

  /// Takes the socket, which does not block. `termination` becomes readable when the process is to end, `alarm` when there is
  /// something else to see to.
  internal init(
    _ socket: consuming OwnedDescriptor, termination: FileDescriptor, alarm: FileDescriptor?, kernel: Kernel
  ) {
    self.kernel = kernel
    self.socket = socket
    self.termination = termination
    self.alarm = alarm
  }

  /// A message as it came.
  internal struct Message: ~Copyable {
    let header: MessageHeader
    let payload: [UInt8]
    let files: UniqueArray<OwnedDescriptor>
  }

  /// Why there is no further message.
  internal enum Ending: Error, Equatable {
    /// The peer closed, between messages.
    case hangUp
    /// This process is to end.
    case termination
    /// The peer broke a rule, or the socket is broken.
    case failure(String)
  }

  /// The next message; waits for its first byte as long as it takes, or until the alarm: nil then.
  internal func next() throws(Ending) -> Message? {
    if let alarm {
      let ready: [Bool]
      do throws(Errno) {
        ready = try kernel.poll([termination, alarm, socket.descriptor], milliseconds: -1)
      } catch {
        throw .failure("poll: \(error)")
      }
      if ready[1], !ready[0] { return nil }
    }
    var deadline: ContinuousClock.Instant?
    var files = UniqueArray<OwnedDescriptor>()
    let start = try read(MessageHeader.byteCount, &deadline, &files, isFirst: true)
    let header: MessageHeader
    do throws(ProtocolViolation) {
      header = try MessageHeader(bytes: start)
    } catch {
      throw .failure("\(error)")
    }
    let payload = try read(Int(header.payloadSize), &deadline, &files, isFirst: false)
    return Message(header: header, payload: payload, files: files)
  }

  /// Answers. A peer that does not read is not waited for.
  internal func send(_ bytes: [UInt8]) throws(Ending) {
    do {
      try UnixStream.send(bytes, to: socket.descriptor)
    } catch {
      throw .failure(error == .wouldBlock ? "it does not read its answers" : "sending an answer: \(error)")
    }
  }

  /// Exactly so many bytes. The clock runs from the first byte of a message on.
  private func read(
    _ count: Int, _ deadline: inout ContinuousClock.Instant?, _ files: inout UniqueArray<OwnedDescriptor>,
    isFirst: Bool
  ) throws(Ending) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      try wait(deadline)
      var part: [UInt8] = []
      var received: UnixStream.Received
      do throws(Errno) {
        received = try UnixStream.receive(from: socket.descriptor, into: &part, atMost: count - bytes.count)
      } catch {
        if error == .wouldBlock || error == .interrupted { continue }
        throw .failure("recvmsg: \(error)")
      }
      guard received.byteCount > 0 else {
        throw deadline == nil ? .hangUp : .failure("it closed the connection in the middle of a message")
      }
      guard !received.wasTruncated else {
        throw .failure("a message with more than \(UnixStream.descriptorLimit) descriptors, or than may be open")
      }
      if received.descriptors.count > 0 {
        guard isFirst, bytes.isEmpty else { throw .failure("descriptors in the middle of a message") }
        swap(&files, &received.descriptors)
      }
      bytes += part
      if deadline == nil { deadline = .now + Self.patience }
    }
    return bytes
  }

  private func wait(_ deadline: ContinuousClock.Instant?) throws(Ending) {
    while true {
      let left = deadline.map { max(0, Int(($0 - .now) / .milliseconds(1))) } ?? -1
      let ready: [Bool]
      do throws(Errno) {
        ready = try kernel.poll([termination, socket.descriptor], milliseconds: left)
      } catch {
        throw .failure("poll: \(error)")
      }
      if ready[0] { throw .termination }
      if ready[1] { return }
      if left == 0 { throw .failure("half a message, then nothing for \(Self.patience)") }
    }
  }
}
