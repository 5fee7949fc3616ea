public import SystemPackage

/// A call on a tap or its link that the kernel refused.
public struct TapError: Error, Equatable {
  /// The ioctl or rtnetlink message, such as `TUNSETIFF` or `RTM_NEWQDISC`.
  public let operation: String
  /// The interface it was about, where there was one.
  public let interface: String?
  /// The queue it was about, counted from 0 in the order of opening.
  public let queue: Int?
  /// What the kernel answered.
  public let errno: Errno

  /// Records a refusal.
  public init(_ operation: String, interface: String? = nil, queue: Int? = nil, errno: Errno) {
    self.operation = operation
    self.interface = interface
    self.queue = queue
    self.errno = errno
  }
}

extension TapError: CustomStringConvertible {
  /// Such as `TUNSETIFF on tap0, queue 3: Device or resource busy`.
  public var description: String {
    var text = operation
    if let interface { text += " on \(interface)" }
    if let queue { text += ", queue \(queue)" }
    return "\(text): \(errno)"
  }
}
