import BasicContainers
import Foundation
import LinuxIO
import LinuxIOTesting
import Orchestrator
import TapMQ
import Testing
import VhostKernel
import VhostUser
import Virtqueue

@testable import DataPlane

/// Which data path it is, on a machine without vhost-net; and a plane of threads that nobody ends in order.
@Suite(
  .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: !FileManager.default.fileExists(atPath: VhostNet<LinuxKernel>.path), "needs a machine without vhost-net")
)
struct TunServeDatapathTests {
  @Test func theKernelsOrNothing() async throws {
    try await FreshNamespace.run {
      try TapFixture.make(DeviceSpec(name: InterfaceName("tap0"), pairs: 2))
      let folder = try PublicFolder()
      let socket = "\(folder.path)/socket"
      try mqctl("serve", "tap0", "--socket", socket, "--datapath", "kernel", exits: 5)
        .expectOneError(saying: "say --datapath userspace")
      #expect(!FileManager.default.fileExists(atPath: socket))
      try mqctl("serve", "tap0", "--socket", socket, "--datapath", "kernel", "--busy-poll-us", "9", exits: 2)
    }
  }

  @Test func whatThereIs() async throws {
    try await FreshNamespace.run {
      try TapFixture.make(DeviceSpec(name: InterfaceName("tap0"), pairs: 2))
      let folder = try PublicFolder()
      let words = [Programs.mqctl, "serve", "tap0", "--socket", "\(folder.path)/socket"]
      let people = try RunningProcess(words)
      try people.waitForErrors("moved by threads of this process: no vhost-net")
      people.kill(15)
      #expect(try people.wait().code == 0)
      let machines = try RunningProcess(words + ["--json"])
      try machines.waitForErrors(#""datapath":"userspace","event":"listening""#)
      machines.kill(15)
      #expect(try machines.wait().code == 0)
    }
  }

  /// The soft limit on open files is 1024 nearly everywhere, and 128 pairs need more.
  @Test func asManyFilesAsTheHardLimitLetsItHave() async throws {
    try await FreshNamespace.run {
      let tap = try InterfaceName("tap0")
      try TapFixture.make(DeviceSpec(name: tap, pairs: 16))
      let index = try #require(try LinkSession().link(named: tap)).index
      let folder = try PublicFolder()
      let words = [Programs.mqctl, "serve", "tap0", "--socket", "\(folder.path)/socket", "--datapath", "userspace"]
      let process = try RunningProcess(["/usr/bin/prlimit", "--nofile=60:1000"] + words)
      try process.waitForErrors("pair(s) at")
      var guest = try FrontEnd(connectingTo: "\(folder.path)/socket")
      try guest.start(pairs: 16)
      try guest.exchange(frames: 1, onTap: index)
      process.kill(15)
      #expect(try process.wait().code == 0)
    }
  }

  /// Who reads the log has stopped: it is not told everything, and neither front ends nor who ends it notice.
  @Test(arguments: UnreadEnd.allCases) func aLogThatNobodyReads(_ kind: UnreadEnd) async throws {
    try await FreshNamespace.run {
      let tap = try InterfaceName("tap0")
      try TapFixture.make(DeviceSpec(name: tap, pairs: 1))
      let index = try #require(try LinkSession().link(named: tap)).index
      let folder = try PublicFolder()
      let socket = "\(folder.path)/socket"
      var log = try UnreadLog(kind, in: folder.path)
      let process = try RunningProcess(
        log.wrapper + [Programs.mqctl, "serve", "tap0", "--socket", socket, "--datapath", "userspace"])
      try log.accept()
      #expect(eventually { FileManager.default.fileExists(atPath: socket) })
      // Two lines each: more than fit.
      func fill() throws { for _ in 0..<400 { _ = try FrontEnd(connectingTo: socket).number(.getFeatures) } }
      try fill()
      try Self.exchangeOnce(socket, index)
      var text = try log.read()
      #expect(text.contains("mqctl: tap0"), "\(text)")
      try Self.exchangeOnce(socket, index)
      let end = Deadline(20)
      while !text.contains("line(s) before this are lost"), !end.isOver { text += try log.read() }
      #expect(text.contains("line(s) before this are lost"), "\(text)")
      try fill()
      process.kill(15)
      #expect(try process.wait().code == 0)
    }
  }

  private static func exchangeOnce(_ socket: String, _ index: Int) throws {
    var guest = try FrontEnd(connectingTo: socket)
    try guest.start(pairs: 1)
    try guest.exchange(frames: 1, onTap: index)
  }

  /// Its rings run when it goes: its threads stop and go with it.
  @Test func aPlaneThatIsDropped() async throws {
    try await FreshNamespace.run {
      let name = try InterfaceName("tap0")
      try TapFixture.make(DeviceSpec(name: name, pairs: 1))
      for _ in 0..<20 { try Self.runAndDrop(name) }
      let threads = try FileTree.entries(of: "/proc/self/task").filter {
        (try? FileTree.text(of: "/proc/self/task/\($0)/comm"))?.hasPrefix("pair ") == true
      }
      #expect(threads.isEmpty)
    }
  }

  private static func runAndDrop(_ name: InterfaceName) throws {
    let kernel = LinuxKernel()
    let guest = try GuestRings(kernel: kernel, memory: kernel.mmap(byteCount: GuestRings<LinuxKernel>.byteCount))
    let set = try PairSet.open(name, vhost: .off, through: TapFixture.tools())
    var plane = try UserspacePlane(kernel: kernel)
    try plane.start(set)
    let base = guest.memory.address
    try plane.setFeatures(.version1, of: set.pairs[0])
    try plane.setMemoryTable(
      MemoryTable([
        .init(guestAddress: guest.guestBase, byteCount: UInt64(guest.memory.byteCount), userAddress: base)
      ]), of: set.pairs[0])
    for ring in VhostRing.allCases {
      let layout = ring == .receive ? guest.receiveLayout : guest.transmitLayout
      try plane.setNumber(ring, of: set.pairs[0], to: layout.size)
      try plane.setAddresses(
        ring, of: set.pairs[0],
        to: VringAddresses(
          descriptors: base + UInt64(layout.descriptors), available: base + UInt64(layout.available),
          used: base + UInt64(layout.used)), log: nil)
      try plane.setKick(
        ring, of: set.pairs[0], to: ring == .receive ? guest.receiveKick.descriptor : guest.transmitKick.descriptor)
      try plane.setRunning(ring, of: set.pairs[0], true)
    }
  }
}
