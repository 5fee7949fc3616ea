/// An IP address with its prefix length, such as `192.0.2.1/24` or `2001:db8::1/64`.
public struct InterfaceAddress: Sendable, Hashable, CustomStringConvertible {
  /// Its text as libnl writes it, always with a prefix length, so that equal addresses have equal text.
  public let description: String

  /// Takes text that libnl wrote.
  internal init(canonical: String) {
    description = canonical
  }
}
