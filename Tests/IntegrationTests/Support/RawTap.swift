import CLinuxUAPI
import Glibc
import LinuxIO
import SystemPackage
import TapMQ

/// The tun driver as any other program uses it.
enum RawTap {
  /// open(2) of /dev/net/tun.
  static func node() throws -> OwnedDescriptor {
    try LinuxKernel().open("/dev/net/tun", nonBlocking: true)
  }

  /// TUNSETIFF on an open node.
  static func bind(_ node: borrowing OwnedDescriptor, _ name: String, _ flags: TapFlags) throws(Errno) {
    var request = unsafe mq_ifreq_make(name, flags.rawValue)
    try LinuxKernel().ioctl(node.descriptor, IoctlRequest("TUNSETIFF", MQ_TUNSETIFF), updating: &request)
  }

  /// open(2) and TUNSETIFF.
  static func queue(_ name: String, _ flags: TapFlags = .multiQueueTap) throws -> OwnedDescriptor {
    let node = try node()
    try bind(node, name, flags)
    return node
  }

  /// TUNSETPERSIST.
  static func persist(_ queue: borrowing OwnedDescriptor) throws(Errno) {
    _ = try LinuxKernel().ioctl(queue.descriptor, IoctlRequest("TUNSETPERSIST", MQ_TUNSETPERSIST), value: 1)
  }

  /// TUNSETQUEUE.
  static func attach(_ queue: borrowing OwnedDescriptor, _ attached: Bool) throws(Errno) {
    let flag = UInt16(attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)
    let request = unsafe mq_ifreq_make("", flag)
    try LinuxKernel().ioctl(queue.descriptor, IoctlRequest("TUNSETQUEUE", MQ_TUNSETQUEUE), reading: request)
  }

  /// TUNGETIFF.
  static func flags(of queue: borrowing OwnedDescriptor) throws(Errno) -> TapFlags {
    var request = unsafe mq_ifreq_make("", 0)
    try LinuxKernel().ioctl(queue.descriptor, IoctlRequest("TUNGETIFF", MQ_TUNGETIFF), updating: &request)
    return TapFlags(rawValue: request.flags)
  }

  /// What a call answers: nil where it succeeds.
  static func refusal(_ body: () throws -> Void) -> Errno? {
    do {
      try body()
      return nil
    } catch {
      return error as? Errno ?? (error as? TapError)?.errno ?? .ioError
    }
  }
}
