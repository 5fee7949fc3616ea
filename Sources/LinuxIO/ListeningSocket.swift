internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// A stream socket of AF_UNIX that takes connections, and its place in the file system.
public struct ListeningSocket: ~Copyable {
  private let socket: OwnedDescriptor
  /// Where it is; nil where somebody else has put it there.
  public let path: String?
  private let identity: FileIdentity?

  /// The descriptor, borrowed. It does not block.
  public var descriptor: FileDescriptor { socket.descriptor }

  /// socket(2), bind(2), listen(2), chown(2), chmod(2). Until the last nobody but this user may connect.
  ///
  /// A socket that nobody listens on any more is replaced; `EADDRINUSE` for one that somebody does, and for anything
  /// else of that name.
  ///
  /// - Parameters:
  ///   - mode: who may connect, by the permission to write.
  ///   - owner: nil for this user.
  ///   - group: nil for this user's.
  public init(binding path: String, mode: UInt32, owner: UInt32?, group: UInt32?) throws(Errno) {
    try Self.removeIfDead(path)
    let before = umask(0o177)
    defer { umask(before) }
    let socket = try UnixStream.listen(at: path)
    let identity: FileIdentity
    do throws(Errno) {
      identity = try FileTree.identity(of: path)
      try check(unsafe mq_dress_socket(path, owner ?? .max, group ?? .max, mode_t(mode)))
    } catch {
      _ = unsafe Glibc.unlink(path)
      throw error
    }
    self.socket = socket
    self.path = path
    self.identity = identity
  }

  /// One that a service manager has opened; made not to block. `EINVAL` if it does not listen, `EOPNOTSUPP` or
  /// `ENOTSOCK` if it is something else.
  public init(inherited descriptor: FileDescriptor) throws(Errno) {
    let socket = OwnedDescriptor(adopting: descriptor)
    guard mq_is_unix_listener(descriptor.rawValue) == 0 else { throw lastError() }
    try check(fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_NONBLOCK))
    self.socket = socket
    path = nil
    identity = nil
  }

  /// Takes it out of the file system, if it is still this one that is there.
  public func unlink() throws(Errno) {
    guard let path, (try? FileTree.identity(of: path)) == identity else { return }
    try check(unsafe Glibc.unlink(path))
  }

  /// A datagram to a stream socket that lives is EPROTOTYPE, and its owner does not notice; to a dead one it is
  /// ECONNREFUSED.
  private static func removeIfDead(_ path: String) throws(Errno) {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .addressInUse }
    guard unsafe mq_unix_datagram(path, "") < 0, errno == ECONNREFUSED else { throw .addressInUse }
    try check(unsafe Glibc.unlink(path))
  }
}
