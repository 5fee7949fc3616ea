internal import CNetlink
internal import Glibc
internal import SystemPackage

/// A NETLINK_ROUTE socket of libnl's, owned, with one request under way at most.
@safe internal struct NetlinkSocket: ~Copyable {
  private let socket: OpaquePointer

  /// nl_socket_alloc and nl_connect: socket(2), CLOEXEC from birth, in the calling thread's network namespace.
  internal init() throws(Errno) {
    guard let socket = unsafe nl_socket_alloc() else { throw .noMemory }
    Glibc.errno = 0
    let result = unsafe nl_connect(socket, NETLINK_ROUTE)
    guard result == 0 else {
      let failure = Self.failure()
      unsafe nl_socket_free(socket)
      throw failure
    }
    unsafe self.socket = socket
    // With it (Linux 4.20) the kernel dumps the addresses of the one link that was asked for, not of all; without it the
    // answer is the same once it is sifted.
    var on: CInt = 1
    _ = unsafe setsockopt(
      nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, socklen_t(MemoryLayout<CInt>.size))
  }

  /// The socket, borrowed.
  internal var descriptor: FileDescriptor { FileDescriptor(rawValue: unsafe nl_socket_get_fd(socket)) }

  /// Sends a request (nl_send_auto) and reads all of its answer (nl_recvmsgs).
  ///
  /// Throws the kernel's errno as it is. Whatever happens, the next request never sees this one's answer: it is read to
  /// its end, also where reading itself fails (`ENOBUFS`), and what came for another request is passed over.
  ///
  /// - Returns: whether a dump is to be asked for again, as it changed under way.
  internal func exchange(
    _ request: borrowing NetlinkRequest, receive: @escaping (UnsafeMutablePointer<nlmsghdr>) -> Void
  ) throws(Errno) -> Bool {
    let sequence = try send(request)
    let answer = unsafe NetlinkAnswer(to: sequence, receive: receive)
    try complete(answer)
    if let failure = answer.failures[sequence] { throw failure }
    return answer.wasInterrupted
  }

  /// Sends all messages of a batch in one go (nl_sendto), and reads all of its answer.
  ///
  /// - Returns: what the kernel refused each with, by the number that the batch knows it by.
  internal func exchange(_ batch: NetlinkBatch) throws(Errno) -> [(number: Int, errno: Errno)] {
    guard let last = unsafe batch.number(on: socket) else { return [] }
    Glibc.errno = 0
    let sent = unsafe batch.bytes.withUnsafeMutableBytes { bytes in
      unsafe nl_sendto(socket, bytes.baseAddress, bytes.count)
    }
    guard sent >= 0 else { throw Self.failure() }
    let answer = unsafe NetlinkAnswer(to: last, of: batch.count) { _ in }
    try complete(answer)
    return batch.failures(answer.failures)
  }

  /// Reads until the answer is complete.
  private func complete(_ answer: NetlinkAnswer) throws(Errno) {
    guard let callbacks = unsafe nl_cb_alloc(NL_CB_DEFAULT) else { throw .noMemory }
    defer { unsafe nl_cb_put(callbacks) }
    try withExtendedLifetime(answer) { answer throws(Errno) in
      unsafe answer.install(in: callbacks)
      while !answer.isComplete {
        Glibc.errno = 0
        let result = unsafe nl_recvmsgs(socket, callbacks)
        guard result >= 0 || answer.isComplete else {
          let failure = Self.failure()
          drain()
          throw failure
        }
      }
    }
  }

  /// Sends a request, and says by what number its answer will be known.
  internal func send(_ request: borrowing NetlinkRequest) throws(Errno) -> UInt32 {
    guard let header = unsafe nlmsg_hdr(request.message) else { throw .ioError }
    // Has libnl give it a new number, where it goes out again.
    unsafe header.pointee.nlmsg_seq = UInt32(NL_AUTO_SEQ)
    Glibc.errno = 0
    guard unsafe nl_send_auto(socket, request.message) >= 0 else { throw Self.failure() }
    return unsafe header.pointee.nlmsg_seq
  }

  /// Reads and forgets what is there, a dump to its end: the kernel begins no other before (`EBUSY`).
  internal func drain() {
    guard let callbacks = unsafe nl_cb_alloc(NL_CB_DEFAULT) else { return }
    defer { unsafe nl_cb_put(callbacks) }
    unsafe nl_cb_set(callbacks, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, { _, _ in CInt(NL_SKIP.rawValue) }, nil)
    var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    while unsafe poll(&entry, 1, 0) > 0 {
      _ = unsafe nl_recvmsgs(socket, callbacks)
    }
  }

  /// Why a call of libnl's failed: the errno of the system call in it, or EIO where libnl itself did not like what came.
  private static func failure() -> Errno {
    Glibc.errno == 0 ? .ioError : Errno(rawValue: Glibc.errno)
  }

  deinit {
    unsafe nl_socket_free(socket)
  }
}
