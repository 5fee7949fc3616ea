internal import CNetlink

/// The attributes of a received message, or of a nest in it, read by libnl.
///
/// - Safety: borrowed from the message: valid while libnl's callback for it runs, and no longer.
@unsafe internal struct NetlinkAttributes {
  private let first: UnsafeMutablePointer<nlattr>?
  private let byteCount: CInt

  /// Those that follow the family's own header, of that type, in a message; nil where the message is too short for it.
  internal static func split<Header: BitwiseCopyable>(
    _ message: UnsafeMutablePointer<nlmsghdr>, after type: Header.Type
  ) -> (header: Header, attributes: NetlinkAttributes)? {
    let size = CInt(MemoryLayout<Header>.size)
    guard unsafe nlmsg_valid_hdr(message, size) != 0 else { return nil }
    let header = unsafe nlmsg_data(message).loadUnaligned(as: Header.self)
    let attributes = unsafe NetlinkAttributes(
      first: nlmsg_attrdata(message, size), byteCount: nlmsg_attrlen(message, size))
    return unsafe (header, attributes)
  }

  /// The bytes of the attribute of that type; nil where there is none.
  internal func bytes(_ type: Int) -> UnsafeRawBufferPointer? {
    guard let attribute = unsafe nla_find(first, byteCount, CInt(type)) else { return nil }
    return unsafe UnsafeRawBufferPointer(start: nla_data(attribute), count: Int(nla_len(attribute)))
  }

  /// A `__u8` or `__u32`, as the type asked for says; nil where there is none of that size.
  internal func number<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Int, as: Number.Type) -> Number? {
    guard let bytes = unsafe bytes(type), bytes.count == MemoryLayout<Number>.size else { return nil }
    return unsafe bytes.loadUnaligned(as: Number.self)
  }

  /// A string, up to its NUL if it has one.
  internal func text(_ type: Int) -> String? {
    guard let bytes = unsafe bytes(type) else { return nil }
    return unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The attributes in an attribute.
  internal func nest(_ type: Int) -> NetlinkAttributes? {
    guard let nest = unsafe nla_find(first, byteCount, CInt(type)) else { return nil }
    return unsafe NetlinkAttributes(
      first: nla_data(nest).assumingMemoryBound(to: nlattr.self), byteCount: nla_len(nest))
  }
}
