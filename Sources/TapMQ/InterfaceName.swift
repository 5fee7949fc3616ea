/// A network interface's name, as the kernel takes it (`dev_valid_name`): 1 to 15 bytes, no `/`, `:`, white space, not
/// `.` or `..`; and, as every tool that joins words by commas needs, no `,` and no `%` (which asks the kernel to number).
public struct InterfaceName: Sendable, Hashable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Why a word is no interface name.
  public struct Invalid: Error, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
  }

  /// Checks a name.
  public init(_ name: String) throws(Invalid) {
    let bytes = Array(name.utf8)
    guard !bytes.isEmpty else { throw Invalid(description: "an interface name may not be empty") }
    guard bytes.count <= 15 else {
      throw Invalid(description: "interface name '\(name)' has \(bytes.count) bytes; the kernel takes 15 at most")
    }
    guard name != ".", name != ".." else { throw Invalid(description: "'\(name)' is no interface name") }
    for byte in bytes where byte <= 0x20 || byte == 0x7F || "/:,%'\"\\".utf8.contains(byte) {
      throw Invalid(
        description: "interface name '\(name)' may not hold white space, control characters or any of / : , % ' \" \\")
    }
    description = name
  }
}
