/// An ioctl(2) request: its number and the name that errors give it.
public struct IoctlRequest: Sendable, Hashable {
  /// The name in the kernel's header, such as `VHOST_SET_OWNER`.
  public let name: String
  /// The number, as <asm/ioctl.h> builds it.
  public let number: UInt

  /// Names a request. The number comes from a kernel header, never from a keyboard.
  public init(_ name: String, _ number: UInt) {
    self.name = name
    self.number = number
  }
}
