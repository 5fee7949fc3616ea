internal import CNetlink
internal import SystemPackage

/// A netlink message that is being written: libnl's `struct nl_msg`, owned.
@safe internal struct NetlinkRequest: ~Copyable {
  /// libnl's object, borrowed.
  internal let message: OpaquePointer

  /// nlmsg_alloc_simple and the family's own header, all of whose bytes go out.
  internal init<Header: BitwiseCopyable>(_ type: Int, flags: CInt = 0, header: Header) throws(Errno) {
    guard let message = unsafe nlmsg_alloc_simple(CInt(type), flags) else { throw .noMemory }
    var header = header
    let result = unsafe withUnsafeMutableBytes(of: &header) { bytes in
      unsafe nlmsg_append(message, bytes.baseAddress, bytes.count, CInt(NLMSG_ALIGNTO))
    }
    guard result == 0 else {
      unsafe nlmsg_free(message)
      throw .noMemory
    }
    unsafe self.message = message
  }

  /// Takes over a message that libnl built.
  internal init(adopting message: OpaquePointer) {
    unsafe self.message = message
  }

  /// nla_put of bytes as they are. `EMSGSIZE` where the message, a page long, has no room for them.
  internal func put(_ attribute: Int, bytes: [UInt8]) throws(Errno) {
    guard unsafe nla_put(message, CInt(attribute), CInt(bytes.count), bytes) == 0 else { throw .messageTooLong }
  }

  /// nla_put_string: text and a NUL.
  internal func put(_ attribute: Int, text: String) throws(Errno) {
    guard unsafe nla_put_string(message, CInt(attribute), text) == 0 else { throw .messageTooLong }
  }

  /// nla_put_u32.
  internal func put(_ attribute: Int, _ number: UInt32) throws(Errno) {
    guard unsafe nla_put_u32(message, CInt(attribute), number) == 0 else { throw .messageTooLong }
  }

  deinit {
    unsafe nlmsg_free(message)
  }
}
