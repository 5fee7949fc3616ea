internal import Glibc
internal import SystemPackage

/// Standard error for a program that whoever reads it must not keep waiting: a line that cannot be written at once is not
/// written.
///
/// O_NONBLOCK belongs to an open file, which others may have as well, such as the shell of a terminal. So a pipe or a terminal is
/// opened once more (`/proc/self/fd/2`), without waiting; a socket, which cannot be, is asked not to wait by each send(2). Where
/// neither goes, as for a pipe of another user's, poll(2) tells whether it has room, which a pipe has for PIPE_BUF bytes then. A
/// write to a file does not wait for a reader.
public struct ErrorsWithoutWaiting: Sendable {
  private enum Way {
    case write(CInt)
    case send
    case poll
  }

  private let way: Way

  /// open(2); the descriptor stays open until the process ends.
  public init() {
    let standardError = FileDescriptor.standardError.rawValue
    var status = stat()
    let kind = unsafe fstat(standardError, &status) == 0 ? status.st_mode & S_IFMT : 0
    switch kind {
    case S_IFSOCK: way = .send
    case S_IFIFO, S_IFCHR:
      let own = unsafe open("/proc/self/fd/\(standardError)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      way = own >= 0 ? .write(own) : .poll
    default: way = .poll
    }
  }

  /// write(2), or send(2) with MSG_DONTWAIT; false if not all of it went out.
  public func write(_ bytes: [UInt8]) -> Bool {
    let standardError = FileDescriptor.standardError.rawValue
    let flags = CInt(truncatingIfNeeded: MSG_DONTWAIT) | CInt(truncatingIfNeeded: MSG_NOSIGNAL)
    let count = unsafe bytes.withUnsafeBytes { bytes in
      switch way {
      case .write(let own): return unsafe Glibc.write(own, bytes.baseAddress, bytes.count)
      case .send:
        return unsafe Glibc.send(standardError, bytes.baseAddress, bytes.count, flags)
      case .poll:
        var entry = pollfd(fd: standardError, events: Int16(POLLOUT), revents: 0)
        guard unsafe Glibc.poll(&entry, 1, 0) > 0 else { return 0 }
        return unsafe Glibc.write(standardError, bytes.baseAddress, bytes.count)
      }
    }
    return count == bytes.count
  }
}
