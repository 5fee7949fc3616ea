import Foundation
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing
import VhostUser

@testable import DataPlane

/// Threads that have nothing to do do not run.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunServeIdleTests {
  @Test func fourPairsThatRunAndRest() async throws {
    try await FreshNamespace.run {
      try Self.silenceHost()
      let served = try ServedTap(.userspace, pairs: 4)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 4)
      try guest.exchange(frames: 4, onTap: served.index)
      let before = try Self.resting(served)
      _ = try LinuxKernel().poll([], milliseconds: 3000)
      #expect(try Self.records(served) == before)
      // It would have been seen.
      try guest.kick(ring: 3)
      #expect(try eventually { try Self.records(served) != before })
    }
  }

  /// The guest has no buffers left, and the tap has frames for it: no more than one wake-up comes of that.
  @Test func framesThatNobodyHasBuffersFor() async throws {
    try await FreshNamespace.run {
      try Self.silenceHost()
      let served = try ServedTap(.userspace, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      try guest.exchange(frames: 4, onTap: served.index)
      let kernel = LinuxKernel()
      let socket = try kernel.packetSocket(interfaceIndex: served.index, etherType: 0x88B5)
      let size = GuestRings<LinuxKernel>.ringSize
      for _ in 0..<2 * size { try kernel.write(FrontEnd.experiment, to: socket.descriptor) }
      _ = try Self.resting(served)
      try kernel.write(FrontEnd.experiment, to: socket.descriptor)
      let before = try Self.resting(served)
      for _ in 0..<2 * size { try kernel.write(FrontEnd.experiment, to: socket.descriptor) }
      #expect(try Self.records(served) == before)
      // All of them come, with the first buffer that does.
      #expect(try guest.receiveAll(pair: 0, atLeast: 4 * size) >= 4 * size)
    }
  }

  /// A thread that looks for work wants no kick and needs none; after as long as it was told, it sleeps until it is kicked.
  @Test func busyPollingIsBounded() async throws {
    try await FreshNamespace.run {
      try Self.silenceHost()
      let served = try ServedTap(.userspace, pairs: 1, "--busy-poll-us", "1000000")
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      try guest.exchange(frames: 4, onTap: served.index)
      for _ in 0..<3 {
        // A machine that stands still for a second makes it miss its time, but not every time.
        #expect(try eventually { try !guest.needsKickToSend(pair: 0) })
        _ = try Self.resting(served)
        #expect(try guest.needsKickToSend(pair: 0))
      }
    }
  }

  /// IPv6 of this namespace says something on a new link from time to time, which is work for whoever serves it.
  private static func silenceHost() throws {
    for scope in ["all", "default"] {
      try Data("1".utf8).write(to: URL(fileURLWithPath: "/proc/sys/net/ipv6/conf/\(scope)/disable_ipv6"))
    }
  }

  private static func records(_ served: ServedTap) throws -> [Int: ThreadRecord] {
    var records: [Int: ThreadRecord] = [:]
    for thread in try FileTree.entries(of: "/proc/\(served.pid)/task").compactMap({ Int($0) }) {
      records[thread] = try ThreadRecord(process: served.pid, thread: thread)
    }
    return records
  }

  private static func resting(_ served: ServedTap) throws -> [Int: ThreadRecord] {
    for thread in try records(served).keys {
      _ = try #require(try ThreadRecord.ofSleeping(process: served.pid, thread: thread))
    }
    return try records(served)
  }
}
