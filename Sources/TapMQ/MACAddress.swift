/// An Ethernet address.
public struct MACAddress: Sendable, Hashable, CustomStringConvertible {
  /// Its six bytes, first on the wire first.
  public let bytes: [UInt8]

  /// Why a word is no unicast Ethernet address.
  public struct Invalid: Error, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
  }

  /// Six bytes as they are; nil if they are not six.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 6 else { return nil }
    self.bytes = bytes
  }

  /// Reads `52:54:00:12:34:56`: six pairs of hexadecimal digits, unicast, not all zero (what `eth_validate_addr` takes).
  public init(_ text: String) throws(Invalid) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let parsed = parts.compactMap { part in
      part.utf8.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
    }
    guard parts.count == 6, parsed.count == 6 else {
      throw Invalid(description: "'\(text)' is no MAC address; write six pairs of hex digits, as 52:54:00:12:34:56")
    }
    guard parsed[0] & 1 == 0 else {
      throw Invalid(description: "MAC address \(text) is a multicast address; make its first byte even")
    }
    guard parsed.contains(where: { $0 != 0 }) else {
      throw Invalid(description: "MAC address \(text) is all zero")
    }
    bytes = parsed
  }

  /// Lower case, colons.
  public var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  /// The address for the guest's side of a tap that has this one: the same but for the first byte, as libvirt pairs
  /// `fe:54:00:…` outside with `52:54:00:…` inside. Two ends of one wire may not share an address.
  public var guestSide: MACAddress {
    MACAddress(unchecked: [bytes[0] == 0x52 ? 0x56 : 0x52] + bytes.dropFirst())
  }

  private init(unchecked bytes: [UInt8]) {
    self.bytes = bytes
  }
}
