import Glibc
import LinuxIO
import Orchestrator
import SystemPackage
import TapMQ
import Testing

/// What tests make by the real kernel alone, beside what they test.
enum TapFixture {
  typealias Tools = Provisioner<LinuxKernel, LinkSession>

  /// A provisioner in the namespace of the calling thread.
  static func tools() throws -> Tools {
    Provisioner(kernel: LinuxKernel(), links: try LinkSession())
  }

  /// Makes the device anew: one of that name goes first. Returns once nobody has its queue any more, not even a program
  /// that reads /proc.
  static func make(_ spec: DeviceSpec) throws {
    let tools = try tools()
    _ = try tools.delete(spec.name, force: true)
    let outcome = try tools.create(spec)
    #expect(outcome == .created)
    for _ in 0..<500 where try tools.links.link(named: spec.name)?.tun?.openQueues != 0 {
      _ = try LinuxKernel().poll([], milliseconds: 10)
    }
  }

  /// Removes it, if it is there.
  static func remove(_ name: InterfaceName) throws {
    _ = try tools().delete(name, force: true)
  }

  /// Checks that the device is there, just so.
  static func expect(_ spec: DeviceSpec, _ what: @autoclosure () -> String) throws {
    let device = try tools().device(named: spec.name)
    #expect(device?.differences(from: spec) == [], "\(what())")
  }

  /// Checks that the link is gone, now or in a moment.
  static func awaitAbsence(of name: InterfaceName) throws {
    let links = try LinkSession()
    for _ in 0..<500 {
      if try links.link(named: name) == nil { return }
      _ = try LinuxKernel().poll([], milliseconds: 10)
    }
    Issue.record("\(name) is there")
  }

  /// A bridge, by the ioctl that is older than rtnetlink's message (SIOCBRADDBR).
  static func makeBridge(_ name: String) throws {
    let number = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw Errno.ioError }
    let control = OwnedDescriptor(adopting: FileDescriptor(rawValue: number))
    var bytes = Array(name.utf8) + [UInt8](repeating: 0, count: 16 - name.utf8.count)
    unsafe try bytes.withUnsafeMutableBytes { buffer in
      _ = unsafe try LinuxKernel().ioctl(
        control.descriptor, IoctlRequest("SIOCBRADDBR", 0x89A0), buffer.baseAddress)
    }
  }

  /// Waits until the kernel lets frames through: up to a second after the first queue was opened.
  static func awaitOperation(of name: InterfaceName, _ links: borrowing LinkSession) throws {
    for _ in 0..<500 {
      if try links.link(named: name)?.isOperational == true { return }
      _ = try LinuxKernel().poll([], milliseconds: 10)
    }
    Issue.record("\(name) lets nothing through")
  }
}
