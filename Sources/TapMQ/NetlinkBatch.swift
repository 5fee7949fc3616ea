internal import CNetlink

/// Messages that are to go out in one send, one behind the other.
internal final class NetlinkBatch {
  /// The messages, each aligned.
  internal var bytes: [UInt8] = []
  private var starts: [Int] = []
  private var numbers: [Int] = []
  private var first: UInt32 = 0

  /// How many there are.
  internal var count: Int { starts.count }

  /// Adds a message, which the caller knows by that number.
  internal func append(_ request: consuming NetlinkRequest, _ number: Int) {
    guard let header = unsafe nlmsg_hdr(request.message) else { return }
    starts.append(bytes.count)
    numbers.append(number)
    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
    while !bytes.count.isMultiple(of: Int(NLMSG_ALIGNTO)) { bytes.append(0) }
  }

  /// Gives each the socket's address and its next number, and says the last's; nil where there are no messages. Only the
  /// last asks for an acknowledgement.
  internal func number(on socket: OpaquePointer) -> UInt32? {
    guard let last = starts.last else { return nil }
    first = unsafe nl_socket_use_seq(socket)
    let port = unsafe nl_socket_get_local_port(socket)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      for (offset, start) in starts.enumerated() {
        var header = unsafe buffer.loadUnaligned(fromByteOffset: start, as: nlmsghdr.self)
        header.nlmsg_seq = offset == 0 ? first : unsafe nl_socket_use_seq(socket)
        header.nlmsg_pid = port
        header.nlmsg_flags |= UInt16(NLM_F_REQUEST) | (start == last ? UInt16(NLM_F_ACK) : 0)
        unsafe buffer.storeBytes(of: header, toByteOffset: start, as: nlmsghdr.self)
      }
    }
    return first &+ UInt32(count - 1)
  }

  /// What was refused, by the callers' numbers.
  internal func failures<Failure>(_ failures: [UInt32: Failure]) -> [(number: Int, errno: Failure)] {
    failures.map { sequence, failure in (numbers[Int(sequence &- first)], failure) }
  }
}
