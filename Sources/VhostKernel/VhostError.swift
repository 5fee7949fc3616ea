public import SystemPackage

/// An ioctl on /dev/vhost-net that the kernel refused.
public struct VhostError: Error, Equatable, CustomStringConvertible {
  /// The ioctl's name, such as `VHOST_SET_MEM_TABLE`; `open` for the device node itself.
  public let operation: String
  /// The vring it was about: 0 receive, 1 transmit.
  public let ring: Int?
  /// What the kernel answered.
  public let errno: Errno

  /// Records a refusal.
  public init(_ operation: String, ring: VhostRing? = nil, errno: Errno) {
    self.operation = operation
    self.ring = ring.map { Int($0.rawValue) }
    self.errno = errno
  }

  /// Such as `VHOST_NET_SET_BACKEND, ring 1: Bad address`.
  public var description: String {
    "\(operation)\(ring.map { ", ring \($0)" } ?? ""): \(errno)"
  }
}
