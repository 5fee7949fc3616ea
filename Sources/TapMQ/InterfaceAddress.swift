internal import CNetlink

/// An IP address with its prefix length, such as `192.0.2.1/24` or `2001:db8::1/64`.
public struct InterfaceAddress: Sendable, Hashable, CustomStringConvertible {
  /// Its text as libnl writes it, always with a prefix length, so that equal addresses have equal text.
  public let description: String

  /// Why a word is no address that an interface can have.
  public struct Invalid: Error, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
  }

  /// Reads `192.0.2.1/24` or `2001:db8::1/64`, by libnl's nl_addr_parse; without a prefix length it is the host alone,
  /// /32 or /128.
  ///
  /// Refused is what the kernel or the network could not use as one interface's own address: words (`default`, `any`), a
  /// network's name (`192.0.2.0/24`), multicast, broadcast, loopback and unspecified addresses, IPv6 zones.
  public init(_ text: String) throws(Invalid) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let family = parts[0].utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
    // nl_addr_parse alone would also take names, Ethernet addresses and prefix lengths in octal.
    let isNumeric = parts[0].utf8.allSatisfy { byte in
      Character(Unicode.Scalar(byte)).isHexDigit || ".:".utf8.contains(byte)
    }
    guard isNumeric, let address = Parsed(String(parts[0]), family: family) else {
      throw Invalid(
        description: "'\(text)' is no IP address; write an address and its prefix length, as 192.0.2.1/24 or "
          + "2001:db8::1/64")
    }
    let width = address.bytes.count * 8
    if parts.count == 2 {
      let digits = parts[1].utf8
      guard (1...3).contains(digits.count), digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
        let length = Int(parts[1]), (1...width).contains(length)
      else {
        throw Invalid(
          description: "'\(text)' has no usable prefix length: after the / comes a number from 1 to \(width)")
      }
      address.setPrefixLength(length)
    }
    if let reason = address.reasonAgainstInterface {
      throw Invalid(description: "\(text) \(reason)")
    }
    description = address.canonicalText
  }

  /// An address as the kernel gives it, which may be one that ``init(_:)`` refuses; nil where it is no IP address.
  internal init?(bytes: [UInt8], family: CInt, prefixLength: Int) {
    guard bytes.count == (family == AF_INET6 ? 16 : 4), let address = Parsed(bytes: bytes, family: family) else {
      return nil
    }
    address.setPrefixLength(prefixLength)
    description = address.canonicalText
  }

  /// Calls `body` with the address as libnl holds it.
  internal func withParsed<Result, Failure>(
    _ body: (borrowing Parsed) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let address = Parsed(description, family: AF_UNSPEC) else {
      preconditionFailure("libnl does not read its own text '\(description)'")
    }
    return try body(address)
  }
}

extension InterfaceAddress {
  /// libnl's `struct nl_addr` of an IPv4 or IPv6 address.
  @safe internal struct Parsed: ~Copyable {
    /// libnl's object, borrowed.
    internal let object: OpaquePointer

    /// nl_addr_parse; nil where libnl refuses.
    internal init?(_ text: String, family: CInt) {
      var object: OpaquePointer?
      guard unsafe nl_addr_parse(text, family, &object) == 0, let object = unsafe object else { return nil }
      unsafe self.object = object
    }

    /// nl_addr_build.
    internal init?(bytes: [UInt8], family: CInt) {
      guard let object = unsafe nl_addr_build(family, bytes, bytes.count) else { return nil }
      unsafe self.object = object
    }

    /// The address, most significant byte first.
    internal var bytes: [UInt8] {
      let start = unsafe nl_addr_get_binary_addr(object)
      return unsafe Array(UnsafeRawBufferPointer(start: start, count: Int(nl_addr_get_len(object))))
    }

    internal var prefixLength: Int { unsafe Int(nl_addr_get_prefixlen(object)) }

    internal func setPrefixLength(_ length: Int) {
      unsafe nl_addr_set_prefixlen(object, CInt(length))
    }

    /// nl_addr2str, which leaves out a prefix length that is the whole address; here it is never left out.
    internal var canonicalText: String {
      let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        unsafe String(cString: nl_addr2str(object, buffer.baseAddress, buffer.count))
      }
      return text.utf8.contains(UInt8(ascii: "/")) ? text : "\(text)/\(prefixLength)"
    }

    /// What speaks against giving it to an interface, and what to do instead; nil if nothing does.
    internal var reasonAgainstInterface: String? {
      let bytes = bytes
      let isIPv4 = bytes.count == 4
      if bytes.allSatisfy({ $0 == 0 }) { return "is the unspecified address; write the interface's own" }
      if isIPv4 ? bytes[0] & 0xF0 == 0xE0 : bytes[0] == 0xFF {
        return "is a multicast address; write a unicast one"
      }
      if bytes.allSatisfy({ $0 == 0xFF }) { return "is the broadcast address; write a unicast one" }
      if isIPv4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy({ $0 == 0 }) && bytes.last == 1 {
        return "is a loopback address, which is lo's; write one that others can reach"
      }
      // RFC 3021 and RFC 6164: on a link of two, both addresses are hosts'.
      guard prefixLength < bytes.count * 8 - 1 else { return nil }
      let hostBits = bytes.enumerated().contains { index, byte in
        byte & (0xFF >> UInt8(clamping: max(0, min(8, prefixLength - index * 8)))) != 0
      }
      return hostBits ? nil : "names a network, not an address in it; write the interface's own, such as its first"
    }

    deinit {
      unsafe nl_addr_put(object)
    }
  }
}
