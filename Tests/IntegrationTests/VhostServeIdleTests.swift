import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import Testing
import VhostUser

/// What makes `mqctl serve` cost no processor time while packets move: it has one thread, and that does not run.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostServeIdleTests {
  private static let pairs = 2
  private static let frames = 50_000

  @Test func aHundredThousandFramesDoNotWakeIt() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.kernel, pairs: Self.pairs)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: Self.pairs)
      try guest.exchange(frames: 1, onTap: served.index)

      // The workers are threads of this process, or of the kernel.
      let workers = Set(Worker.all(of: served.pid).map(\.thread))
      let threads = try FileTree.entries(of: "/proc/\(served.pid)/task").compactMap(Int.init)
      #expect(threads.filter { !workers.contains($0) } == [served.pid], "\(threads), workers \(workers)")
      let before = try #require(try ThreadRecord.ofSleeping(process: served.pid, thread: served.pid))

      let packets = try framesFromGuests(of: "tap0")
      try guest.flood(frames: Self.frames)
      #expect(try framesFromGuests(of: "tap0") - packets == Self.pairs * Self.frames)
      try guest.exchange(frames: 100, onTap: served.index)
      #expect(try ThreadRecord(process: served.pid, thread: served.pid) == before)

      // It would have been seen: one message is.
      _ = try guest.number(.getFeatures)
      let after = try #require(try ThreadRecord.ofSleeping(process: served.pid, thread: served.pid))
      #expect(after.switches != before.switches && after.schedule != before.schedule, "\(after), was \(before)")
      _ = consume guest
      try served.expectIdle()
    }
  }
}
