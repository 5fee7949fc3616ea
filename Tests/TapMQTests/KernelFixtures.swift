import CLinuxUAPI
import Glibc
import LinuxIO
import SystemPackage
import TapMQ
import Testing

/// The real tun driver, without the room that wraps it.
enum Tun {
  static let node = "/dev/net/tun"

  /// TUNSETIFF: one queue of a tap, made where it is not there.
  static func queue(_ name: String, flags: TapFlags = .multiQueueTap) throws -> OwnedDescriptor {
    let queue = try LinuxKernel().open(node, nonBlocking: true)
    try set(queue, "TUNSETIFF", MQ_TUNSETIFF, name: name, flags: flags.rawValue)
    return queue
  }

  /// TUNSETQUEUE.
  static func detach(_ queue: borrowing OwnedDescriptor) throws {
    try set(queue, "TUNSETQUEUE", MQ_TUNSETQUEUE, name: "", flags: UInt16(IFF_DETACH_QUEUE))
  }

  /// TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP.
  static func set(_ queue: borrowing OwnedDescriptor, _ number: UInt, _ value: UInt) throws {
    _ = try LinuxKernel().ioctl(queue.descriptor, IoctlRequest("TUNSET…", number), value: value)
  }

  /// A `struct ifreq`: 16 bytes of name, then the flags, 40 bytes in all. Swift has none that it could copy.
  private static func set(
    _ queue: borrowing OwnedDescriptor, _ request: String, _ number: UInt, name: String, flags: UInt16
  ) throws {
    var argument = Array(name.utf8) + [UInt8](repeating: 0, count: 40 - name.utf8.count)
    argument[16] = UInt8(truncatingIfNeeded: flags)
    argument[17] = UInt8(flags >> 8)
    unsafe try argument.withUnsafeMutableBytes { buffer in
      _ = unsafe try LinuxKernel().ioctl(queue.descriptor, IoctlRequest(request, number), buffer.baseAddress)
    }
  }
}

/// A bridge of the kernel's, by the ioctl that is older than rtnetlink's.
enum Bridge {
  static func add(_ name: String) throws {
    let socket = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw Errno(rawValue: errno) }
    let control = OwnedDescriptor(adopting: FileDescriptor(rawValue: socket))
    var bytes = Array(name.utf8) + [0]
    let request = IoctlRequest("SIOCBRADDBR", 0x89A0)
    unsafe try bytes.withUnsafeMutableBytes { buffer in
      _ = unsafe try LinuxKernel().ioctl(control.descriptor, request, buffer.baseAddress)
    }
  }
}

extension LinkSession {
  /// The link of that name, which is there.
  func existing(_ name: String) throws -> LinkInfo {
    guard let link = try link(named: InterfaceName(name)) else { throw Errno.noSuchFileOrDirectory }
    return link
  }

  /// Checks that the link comes to be so. A queue that was closed may be open a moment longer: in a child that another test
  /// starts, until it executes, or in whatever reads this process's /proc.
  func await(
    _ name: String, sourceLocation: SourceLocation = #_sourceLocation, _ isSo: (LinkInfo?) -> Bool
  ) throws {
    for _ in 0..<500 {
      if isSo(try link(named: InterfaceName(name))) { return }
      _ = try LinuxKernel().poll([], milliseconds: 10)
    }
    Issue.record("\(name) stays as it was", sourceLocation: sourceLocation)
  }
}
