internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// A connection to a stream socket of AF_UNIX on which nothing waits longer than it is told to.
///
/// `ETIMEDOUT` is a limit that was reached, `ECONNRESET` a peer that has ended the connection.
public struct UnixConnection: ~Copyable {
  private let socket: OwnedDescriptor

  /// The process that listened (SO_PEERCRED); nil for one of a process namespace that this one does not see.
  public let peerProcess: Int?

  /// socket(2), connect(2). A listener whose queue is full is asked again until `end`.
  public init(to path: String, until end: ContinuousClock.Instant) throws(Errno) {
    while true {
      do throws(Errno) {
        socket = try owned(unsafe mq_unix_connect(path, CInt(SOCK_NONBLOCK.rawValue)))
        break
      } catch {
        guard error == .resourceTemporarilyUnavailable else { throw error }
        guard ContinuousClock.now < end else { throw .timedOut }
        _ = Glibc.poll(nil, 0, 10)
      }
    }
    peerProcess = try? UnixStream.peer(of: socket.descriptor)
  }

  /// open(2) of a socket's file with O_PATH: who has this descriptor may connect to `/proc/self/fd/N` without a way to
  /// the path, if the file's permissions let it. `ENOTSOCK` for another file.
  public static func reference(to path: String) throws(Errno) -> OwnedDescriptor {
    try owned(unsafe mq_unix_reference(path))
  }

  /// sendmsg(2) until all of `bytes` is sent; the borrowed descriptors go along with the first of them.
  public func send(
    _ bytes: [UInt8], with descriptors: [FileDescriptor] = [], until end: ContinuousClock.Instant
  ) throws(Errno) {
    var sent = 0
    while sent < bytes.count {
      let numbers = sent == 0 ? descriptors.map(\.rawValue) : []
      let result = unsafe bytes.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress else { return 0 }
        return unsafe mq_send(socket.rawValue, start + sent, buffer.count - sent, numbers, CInt(numbers.count))
      }
      if result >= 0 {
        sent += result
      } else {
        let error = lastError()
        guard error == .resourceTemporarilyUnavailable || error == .interrupted else {
          throw error == .brokenPipe ? .connectionReset : error
        }
        try wait(for: CInt(POLLOUT), until: end)
      }
    }
  }

  /// recvmsg(2) of what is there, at least one byte and at most `limit`. Descriptors that come along are closed.
  public func receive(atMost limit: Int, until end: ContinuousClock.Instant) throws(Errno) -> [UInt8] {
    while true {
      try wait(for: CInt(POLLIN), until: end)
      var bytes: [UInt8] = []
      do throws(Errno) {
        let received = try UnixStream.receive(from: socket.descriptor, into: &bytes, atMost: limit)
        guard received.byteCount > 0 else { throw .connectionReset }
        return bytes
      } catch {
        guard error == .resourceTemporarilyUnavailable || error == .interrupted else { throw error }
      }
    }
  }

  /// poll(2).
  private func wait(for events: CInt, until end: ContinuousClock.Instant) throws(Errno) {
    while true {
      let left = ContinuousClock.now.duration(to: end)
      guard left > .zero else { throw .timedOut }
      var entry = pollfd(fd: socket.rawValue, events: Int16(events), revents: 0)
      let milliseconds = min(left.components.seconds, 3600) * 1000 + left.components.attoseconds / 1_000_000_000_000_000
      let ready = unsafe Glibc.poll(&entry, 1, CInt(clamping: milliseconds + 1))
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw lastError() }
    }
  }
}
