public import BasicContainers
internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Stream sockets of AF_UNIX that carry descriptors (unix(7), SCM_RIGHTS).
public enum UnixStream {
  /// How many descriptors one received message may carry here.
  public static let descriptorLimit = Int(MQ_MESSAGE_DESCRIPTORS)

  /// How many descriptors may be sent with one message: the kernel's SCM_MAX_FD.
  public static let sentDescriptorLimit = Int(MQ_SENT_DESCRIPTORS)

  /// socket(2), bind(2) to a path that does not exist yet, listen(2). Not blocking.
  public static func listen(at path: String) throws(Errno) -> OwnedDescriptor {
    try owned(unsafe mq_unix_listen(path))
  }

  /// A listening socket, not blocking, with a name that the kernel has chosen in the abstract space of this thread's
  /// network namespace (unix(7), autobind), for ``connect(to:)``. It is nowhere in the file system, and goes with its last
  /// descriptor.
  public static func listenUnnamed() throws(Errno) -> Unnamed {
    var name = [CChar](repeating: 0, count: 108)
    let socket = try owned(unsafe mq_unix_listen_unnamed(&name, name.count))
    return Unnamed(
      socket: socket, name: String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }

  /// What ``listenUnnamed()`` made.
  public struct Unnamed: ~Copyable {
    /// The socket.
    public let socket: OwnedDescriptor
    /// Its name.
    public let name: String

    /// Only the socket.
    public consuming func takeSocket() -> OwnedDescriptor { socket }
  }

  /// SO_PEERCRED: the process at the other end of a connected socket, or that listened for it; nil if this PID namespace
  /// does not have it.
  public static func peer(of socket: FileDescriptor) throws(Errno) -> Int? {
    let process = try check(mq_unix_peer(socket.rawValue))
    return process > 0 ? Int(process) : nil
  }

  /// socket(2), connect(2). Blocking. A path that begins with `@` is of Linux's abstract space.
  public static func connect(to path: String) throws(Errno) -> OwnedDescriptor {
    try owned(unsafe mq_unix_connect(path, 0))
  }

  /// accept4(2): not blocking; `EAGAIN` where nobody is waiting.
  public static func accept(on listener: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    try owned(mq_accept(listener.rawValue))
  }

  /// What one recvmsg(2) brought.
  public struct Received: ~Copyable {
    /// How many bytes; 0 when the peer has ended.
    public let byteCount: Int
    /// The descriptors, owned and CLOEXEC.
    public var descriptors: UniqueArray<OwnedDescriptor>
    /// MSG_CTRUNC: there were more than fit, or this process may not open more; those are lost.
    public let wasTruncated: Bool
  }

  /// recvmsg(2) into `bytes`, at most `limit` of them.
  public static func receive(
    from socket: FileDescriptor, into bytes: inout [UInt8], atMost limit: Int
  ) throws(Errno) -> Received {
    bytes = [UInt8](repeating: 0, count: limit)
    var numbers = [CInt](repeating: -1, count: descriptorLimit)
    var count: CInt = 0
    var truncated: CInt = 0
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      return unsafe mq_receive(socket.rawValue, start, limit, &numbers, &count, &truncated)
    }
    guard result >= 0 else { throw lastError() }
    var descriptors = UniqueArray<OwnedDescriptor>()
    for number in numbers.prefix(Int(count)) {
      descriptors.append(OwnedDescriptor(adopting: FileDescriptor(rawValue: number)))
    }
    bytes.removeLast(limit - result)
    return Received(byteCount: result, descriptors: descriptors, wasTruncated: truncated != 0)
  }

  /// sendmsg(2) of all of `bytes`, with borrowed descriptors. A socket that takes only a part is `EAGAIN`: messages here
  /// are far smaller than a socket's buffer, so the peer does not read.
  public static func send(
    _ bytes: [UInt8], with descriptors: [FileDescriptor] = [], to socket: FileDescriptor
  ) throws(Errno) {
    let numbers = descriptors.map(\.rawValue)
    let result = unsafe bytes.withUnsafeBytes { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      return unsafe mq_send(socket.rawValue, start, buffer.count, numbers, CInt(numbers.count))
    }
    guard result >= 0 else { throw lastError() }
    guard result == bytes.count else { throw .resourceTemporarilyUnavailable }
  }
}
