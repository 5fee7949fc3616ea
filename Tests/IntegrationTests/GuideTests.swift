import BasicContainers
import DataPlane
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing
import VhostKernel
import VhostUser
import Virtqueue

/// What the libraries' guide shows, as far as it goes without vhost-net.
extension TunTests {
  @Suite struct Guide {
    @Test func aTapIsMadeOpenedAndProved() async throws {
      try await FreshNamespace.run {
        let device = try #require(try GuideExample.makeTap("tap0", pairs: 3))
        #expect(device.record?.pairs == 3 && device.tun.owner == 0)
        let again = try GuideExample.makeTap("tap0", pairs: 3)
        #expect(again?.link.index == device.link.index)
        #expect(throws: OrchestratorError.self) { try GuideExample.makeTap("tap0", pairs: 4) }
        let set = try GuideExample.openPairs("tap0")
        let (count, proved) = (set.count, try GuideExample.prove(set))
        #expect(count == 3 && proved)
      }
    }

    @Test func theDescriptorsAreHandedOver() async throws {
      let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
        await inFreshNamespace {
          _ = try GuideExample.makeTap("tap0", pairs: 2)
          let words = [Programs.python, "\(Programs.root)/examples/launcher.py", "--check"]
          try GuideExample.become(words, with: GuideExample.openPairs("tap0"))
        }
      }
      let out = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
      #expect(out.hasSuffix("tap-0 descriptor 3: tap0 0x5902\ntap-1 descriptor 4: tap0 0x5902\n"), "\(out)")
    }
  }
}

/// And the rest, on a kernel that has it.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostGuideTests {
  @Test func aPairIsWiredAndCarries() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(GuideChecks.wire) }
  }

  @Test func thePairsAreServed() async {
    await #expect(processExitsWith: .success) {
      do {
        try await GuideChecks.serve()
      } catch {
        Issue.record(error)
      }
    }
  }
}

/// What happens in processes of their own.
enum GuideChecks {
  private static func ring(_ kernel: LinuxKernel, at offset: Int) throws -> GuideExample.GuestRing {
    let layout = try #require(SplitRingLayout(size: 16, at: offset))
    return GuideExample.GuestRing(layout: layout, kick: try kernel.eventfd(), call: try kernel.eventfd())
  }

  /// A frame that is put into the transmit ring comes out of the tap.
  @Sendable static func wire() throws {
    let kernel = LinuxKernel()
    _ = try GuideExample.makeTap("tap0", pairs: 1)
    let set = try GuideExample.openPairs("tap0")
    let hasVhost = set.hasVhost
    #expect(hasVhost)
    let proved = try GuideExample.prove(set)
    #expect(proved)
    let memory = try kernel.mmap(byteCount: 1 << 16)
    let receive = try ring(kernel, at: 0)
    let transmit = try ring(kernel, at: 4096)
    let guestAddress: UInt64 = 1 << 32
    try GuideExample.wire(
      set.pairs[0], to: memory, guestAddress: guestAddress, receive: receive, transmit: transmit)
    let before = try framesFromGuests(of: "tap0")
    var driver = unsafe DriverRing(transmit.layout, in: memory.baseAddress)
    _ = driver.add(address: guestAddress + 8192, length: 12 + 60, deviceWrites: false)
    driver.publish()
    FrameIO.signal(transmit.kick.rawValue)
    _ = try kernel.poll([transmit.call.descriptor], milliseconds: 10_000)
    let used = driver.takeUsed()
    #expect(used != nil)
    #expect(try framesFromGuests(of: "tap0") == before + 1)
  }

  /// A front end is answered, and `serve` ends when it is told to.
  static func serve() async throws {
    let end = try LinuxIO.Pipe()
    let (termination, ending) = (end.readEnd.descriptor, end.writeEnd.descriptor)
    let path = "/tmp/mqctl-guide-\(ProcessControl.processID).sock"
    async let rings = ask(path, thenSignal: ending)
    try await FreshNamespace.run {
      _ = try GuideExample.makeTap("tap0", pairs: 2)
      try GuideExample.serve(GuideExample.openPairs("tap0"), at: path, until: termination)
    }
    #expect(try await rings == 4)
    withExtendedLifetime(end) {}
  }

  /// GET_QUEUE_NUM of who serves at a socket, once somebody does.
  private static func ask(_ path: String, thenSignal ending: FileDescriptor) async throws -> UInt64 {
    defer { FrameIO.signal(ending.rawValue) }
    for _ in 0..<500 where (try? FileTree.identity(of: path)) == nil { try await Task.sleep(for: .milliseconds(10)) }
    var connection = try FrontEndConnection(connectingTo: path)
    _ = try connection.negotiate(
      required: [.version1, .protocolFeatures], protocolFeatures: [.multiQueue, .replyAck])
    return try connection.number(.getQueueNum)
  }
}
