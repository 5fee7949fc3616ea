import CCapability
import CLinuxUAPI
import CNetlink
import Foundation
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing

@testable import TapMQ

/// What the kernel refuses, in the kernel's own words; and that a session is none the worse for it.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct LinkSessionFailureTests {
  /// A change, its operation and the errno it fails with.
  private func expectRefusal(
    _ session: borrowing LinkSession, _ operation: String, _ errno: Errno,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (borrowing LinkSession) throws -> Void
  ) throws {
    let before = try session.links()
    do {
      try body(session)
      Issue.record("\(operation) did not fail", sourceLocation: sourceLocation)
    } catch {
      #expect(error as? TapError == TapError(operation, interface: "mq0", errno: errno), sourceLocation: sourceLocation)
    }
    // Nothing of it is left to be read, and the next answer is the next request's.
    #expect(try LinuxKernel().poll([session.socket.descriptor], milliseconds: 0) == [false])
    #expect(try session.links() == before, sourceLocation: sourceLocation)
  }

  @Test func refusals() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      let other = try Tun.queue("mq1")
      let index = try session.existing("mq0").index
      let otherIndex = try session.existing("mq1").index
      let absent = 4_242
      let noDevice = Errno(rawValue: ENODEV)

      func refuse(_ errno: Errno, _ change: LinkChange, location: SourceLocation = #_sourceLocation) throws {
        try expectRefusal(session, "RTM_SETLINK", errno, sourceLocation: location) { session in
          try session.change(index, named: "mq0", change)
        }
      }
      try refuse(.fileExists, LinkChange(name: InterfaceName("mq1")))
      try refuse(.invalidArgument, LinkChange(mtu: 67))
      try refuse(.invalidArgument, LinkChange(mtu: 65_522))
      try refuse(.invalidArgument, LinkChange(mtu: -1))
      try refuse(.invalidArgument, LinkChange(mtu: Int.max))
      try refuse(.notSupported, LinkChange(master: otherIndex))
      try refuse(.invalidArgument, LinkChange(master: absent))
      let multicast = try #require(MACAddress(bytes: [1, 0, 0, 0, 0, 1]))
      try refuse(.addressNotAvailable, LinkChange(mac: multicast))

      for index in [absent, 0, -1, Int.max] {
        // By an index alone, never by the name that it has.
        try expectRefusal(session, "RTM_SETLINK", noDevice) {
          try $0.change(index, named: "mq0", LinkChange(name: InterfaceName("mq1"), isUp: true))
        }
        try expectRefusal(session, "RTM_DELLINK", noDevice) { try $0.delete(index, named: "mq0") }
        try expectRefusal(session, "RTM_NEWQDISC", noDevice) {
          try $0.setRootQdisc(index, named: "mq0", kind: "noqueue")
        }
        try expectRefusal(session, "RTM_NEWADDR", noDevice) {
          try $0.addAddress(InterfaceAddress("192.0.2.1/24"), to: index, named: "mq0")
        }
        #expect(throws: TapError("RTM_GETADDR", errno: noDevice)) { try session.addresses(of: index) }
      }
      try expectRefusal(session, "RTM_NEWQDISC", .noSuchFileOrDirectory) {
        try $0.setRootQdisc(index, named: "mq0", kind: "nosuchqdisc")
      }
      try expectRefusal(session, "RTM_DELLINK", .notSupported) {
        try $0.delete($0.existing("lo").index, named: "mq0")
      }
      try queue.close()
      try other.close()
    }
  }

  @Test func withoutPrivilege() async throws {
    try await FreshNamespace.run {
      let queue = try Tun.queue("mq0")
      let session = try LinkSession()
      // Capabilities are a thread's, and this one ends with the test.
      let none = unsafe cap_init()
      defer { unsafe cap_free(UnsafeMutableRawPointer(none)) }
      #expect(unsafe cap_set_proc(none) == 0)
      let index = try session.existing("mq0").index
      #expect(throws: TapError("RTM_SETLINK", interface: "mq0", errno: .notPermitted)) {
        try session.change(index, named: "mq0", LinkChange(mtu: 1400))
      }
      #expect(try session.links().count == 2)
      try queue.close()
    }
  }

  @Test func answerOfAnEarlierRequestIsPassedOver() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      // An error that nobody read.
      _ = try session.socket.send(NetlinkRequest(RTM_DELLINK, header: ifinfomsg()))
      #expect(try session.existing("mq0").name == "mq0")
      #expect(try session.links().map(\.name) == ["lo", "mq0"])
      try queue.close()
    }
  }

  @Test func abandonedDumpIsDrained() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      for number in 0..<60 {
        try Tun.set(Tun.queue("mq\(number)"), MQ_TUNSETPERSIST, 1)
      }
      _ = try session.socket.send(
        NetlinkRequest(RTM_GETLINK, flags: NLM_F_ROOT | NLM_F_MATCH, header: ifinfomsg()))
      session.socket.drain()
      #expect(try LinuxKernel().poll([session.socket.descriptor], milliseconds: 0) == [false])
      #expect(try session.links().count == 61)
    }
  }

  @Test func dumpsWhileLinksComeAndGo() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let namespace = OwnedDescriptor(adopting: unsafe try FileDescriptor.open("/proc/thread-self/ns/net", .readOnly))
      let number = namespace.descriptor
      let stop = DispatchSemaphore(value: 0)
      let ended = DispatchSemaphore(value: 0)
      for number in 0..<60 {
        try Tun.set(Tun.queue("keep\(number)"), MQ_TUNSETPERSIST, 1)
      }
      Thread {
        do {
          try NetworkNamespace.enter(number)
          while stop.wait(timeout: .now()) == .timedOut {
            _ = try Tun.queue("churn")
          }
        } catch {
          Issue.record(error)
        }
        ended.signal()
      }.start()
      defer {
        stop.signal()
        ended.wait()
      }
      for _ in 0..<100 {
        let names = try session.links().map(\.name)
        #expect(names.count { $0.hasPrefix("keep") } == 60)
        #expect(Set(names).count == names.count)
      }
    }
  }

  @Test func aSessionStaysInItsNamespace() async throws {
    let outside = try LinkSession()
    let before = try outside.link(named: InterfaceName("mqonly0"))
    #expect(before == nil)
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mqonly0")
      try NetworkNamespace.enterNew()
      #expect(try session.link(named: InterfaceName("mqonly0")) != nil)
      #expect(try LinkSession().link(named: InterfaceName("mqonly0")) == nil)
      try queue.close()
    }
  }
}

/// What a session costs, which takes no privilege to see.
@Suite(.serialized) struct LinkSessionDescriptorTests {
  @Test func closesOnExec() throws {
    let session = try LinkSession()
    let flags = try String(contentsOfFile: "/proc/self/fdinfo/\(session.socket.descriptor.rawValue)", encoding: .utf8)
    let line = try #require(flags.split(separator: "\n").first { $0.hasPrefix("flags:") })
    let mode = try #require(Int(line.dropFirst(6).drop { $0 == " " || $0 == "\t" }, radix: 8))
    #expect(mode & 0o2000000 != 0, "O_CLOEXEC")
  }

  @Test func manySessionsLeaveNothingOpen() throws {
    // Descriptors are handed out from the lowest: had each session left one, the last would be 200 further up. Other
    // tests run meanwhile, and have a few of their own.
    var highest: CInt = 0
    for _ in 0..<200 {
      let session = try LinkSession()
      #expect(try session.link(named: InterfaceName("lo"))?.index == 1)
      highest = max(highest, session.socket.descriptor.rawValue)
    }
    #expect(highest < 150)
  }
}
