import Foundation
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing
import VhostUser

@testable import DataPlane

/// What a front end may do while frames move through every pair, and what it costs them: nothing.
extension ServeChecks {
  /// As a guest changes how many of its pairs it uses: the first ones stay, whatever the others do.
  func pairsComeAndGo(_ pairs: Int) async throws {
    try await FreshNamespace.run {
      // What has no carrier for a moment loses frames, and rightly so.
      let served = try ServedTap(datapath, pairs: pairs, "--keep-carrier")
      let links = try LinkSession()
      func attached() throws -> Int? { try links.link(named: InterfaceName("tap0"))?.tun?.attachedQueues }
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: pairs)
      let traffic = try guest.traffic(onTap: served.index)
      for round in 0..<6 {
        // tun has learned by now where each flow belongs.
        #expect(traffic.expectProgress(of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
        let live = pairs == 1 ? 0 : 1 + round * 5 % (pairs - 1)
        for pair in live..<pairs { traffic.setMayLose(pair, true) }
        for pair in live..<pairs { try guest.enable(pair, false) }
        #expect(try attached() == live)
        #expect(traffic.expectProgress(of: 0..<live), "\(live) live: \(traffic.tallies) \(traffic.faults)")
        for pair in live..<pairs { try guest.enable(pair) }
        #expect(try attached() == pairs)
        for pair in live..<pairs { traffic.setMayLose(pair, false) }
      }
      #expect(traffic.expectProgress(of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
      #expect(traffic.end() == [], "\(traffic.tallies)")
      #expect(!served.process.errText.contains("refused"))
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// Regions that stay, that move in the server's memory because they have grown, and that come and go: nothing that the guest
  /// has posted is lost.
  func memoryChanges(_ pairs: Int) async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: pairs)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: pairs)
      let traffic = try guest.traffic(onTap: served.index)
      let file = try FrontEnd.memory(byteCount: 1 << 20)
      let extra = MemoryRegion(guestAddress: 0, byteCount: 1 << 20, userAddress: 1 << 30, fileOffset: 0)
      for round in 0..<10 {
        #expect(traffic.expectProgress(5, of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
        try guest.tellMemory(growth: UInt64(1 + (round + 1) % 2))
        try guest.demand(.addMemReg(extra), with: [file.descriptor])
        #expect(try served.guestMappings().count == pairs + 1)
        #expect(traffic.expectProgress(5, of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
        try guest.demand(.remMemReg(extra))
        #expect(try served.guestMappings().count == pairs)
      }
      #expect(traffic.expectProgress(of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
      #expect(traffic.end() == [], "\(traffic.tallies)")
      #expect(!served.process.errText.contains("refused"))
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// As a migration begins and is called off: buffers and used rings that were written meanwhile are in the log, and nothing is
  /// written to it afterwards.
  func theLogCoversWhatIsWritten() async throws {
    try await FreshNamespace.run {
      let pairs = 2
      let served = try ServedTap(datapath, pairs: pairs)
      var guest = try FrontEnd(connectingTo: served.socket)
      let plain: DeviceFeatures = [.version1, .protocolFeatures]
      try guest.start(pairs: pairs, plain)
      let traffic = try guest.traffic(onTap: served.index)
      // A bit for each page below 4 GiB for each guest before, and of the last one.
      let byteCount = (pairs + 1) << 32 / 4096 / 8
      let file = try FrontEnd.memory(byteCount: byteCount)
      let log = try LinuxKernel().mmap(file.descriptor, offset: 0, byteCount: byteCount)
      func dirty() -> Set<UInt64> {
        var pages: Set<UInt64> = []
        for word in 0..<byteCount / 8 {
          let bits = unsafe log.baseAddress.load(fromByteOffset: 8 * word, as: UInt64.self)
          if bits == 0 { continue }
          for bit in 0..<64 where bits >> UInt64(bit) & 1 == 1 { pages.insert(UInt64(64 * word + bit)) }
        }
        return pages
      }
      for _ in 0..<5 {
        try guest.demand(.setLogBase(LogArea(byteCount: UInt64(byteCount), fileOffset: 0)), with: [file.descriptor])
        try guest.demand(.setFeatures(plain.union(.logAll)))
        try guest.tellAddresses(isLogged: true)
        traffic.setLogging(true)
        #expect(traffic.expectProgress(40, of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
        let written = traffic.setLogging(false)
        try guest.tellAddresses(isLogged: false)
        try guest.demand(.setFeatures(plain))
        let missing = written.subtracting(dirty())
        #expect(written.count > 2 * pairs && missing.isEmpty, "of \(written.sorted()) not \(missing.sorted())")
        unsafe log.baseAddress.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        #expect(traffic.expectProgress(of: 0..<pairs), "\(traffic.tallies) \(traffic.faults)")
        #expect(dirty().isEmpty, "\(dirty().sorted())")
      }
      #expect(traffic.end() == [], "\(traffic.tallies)")
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// A process that holds the front end's side, killed 200 times at every point of the conversation and under traffic.
  func aKilledFrontEndLeavesNothing() async throws {
    try await FreshNamespace.run {
      let rounds = 200
      let served = try ServedTap(datapath, pairs: 2)
      let links = try linkNames()
      let killer = try RunningProcess([
        Programs.python, "-I", "-c", KilledFrontEnd.program, served.socket, "2", "\(rounds)",
      ])
      let outcome = try killer.wait(seconds: 300)
      #expect(outcome.code == 0 && outcome.out.hasPrefix("killed \(rounds), "), "\(outcome)")
      try served.process.waitForErrors("the connection has ended", times: rounds)
      // Some of them while rings ran.
      #expect(served.process.errText.components(separatedBy: "rings stopped").count > rounds / 8)
      try served.expectIdle()
      #expect(try linkNames() == links)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2)
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
      _ = try served.end()
    }
  }
}
