import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import Testing
import VhostUser

/// `mqctl serve` on the real driver, with a front end of our own.
extension ServeChecks {
  func framesThroughEveryPair(_ pairs: Int) async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: pairs)
      try served.expectConfined()
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: pairs)
      try served.expectThreads(pairs)
      let device = try ShownDevice.named("tap0")
      #expect(device.attachedQueues == pairs && device.detachedQueues == 0, "\(device)")
      try guest.exchange(frames: 16, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
      let outcome = try served.end()
      #expect(outcome.err.contains("the front end has gone; rings stopped: 0 at "), "\(outcome)")
    }
  }

  /// The front end goes in the middle of it, as one does that is killed: the kernel closes its socket.
  func frontEndsOneAfterTheOther(_ rounds: Int) async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      for round in 0..<rounds {
        var guest = try FrontEnd(connectingTo: served.socket)
        try guest.start(pairs: 2)
        if round % 4 == 0 { try guest.exchange(frames: 4, onTap: served.index) }
        // Its log is read, too: a full pipe would keep it waiting.
        if round % 50 == 49 { try served.process.waitForErrors("a front end has connected", times: round + 1) }
      }
      try served.process.waitForErrors("the front end has gone", times: rounds)
      try served.expectIdle()
      _ = try served.end()
    }
  }

  /// Rings are stopped, read and started again; a pair is switched off and on.
  func aRingGoesOnWhereItStopped() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2)
      try guest.exchange(frames: 8, onTap: served.index)
      try guest.enable(1, false)
      #expect(try ShownDevice.named("tap0").attachedQueues == 1)
      try guest.enable(1)
      #expect(try ShownDevice.named("tap0").attachedQueues == 2)
      try guest.exchange(frames: 8, onTap: served.index)
      let stopped = try guest.ask(.getVringBase(ring: 1))
      #expect(stopped == .vringState(ring: 1, number: 16), "as many as were sent")
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// Where a reset has stopped the rings can be asked: QEMU 7.2 sets status 0 before it does, whenever a guest is to
  /// stop, and goes on from there. Nothing said, they start at 0.
  func ringsAfterAReset(_ reset: FrontEndMessage) async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      let features: DeviceFeatures = [.version1, .protocolFeatures]
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2, features)
      try guest.exchange(frames: 5, onTap: served.index)
      try guest.demand(reset)
      #expect(try ShownDevice.named("tap0").attachedQueues == 0)
      var bases: [UInt16] = []
      for ring in 0..<UInt32(4) {
        let answer = try guest.ask(.getVringBase(ring: ring))
        guard case .vringState(ring, let base) = answer else { throw Errno.badMessage }
        bases.append(UInt16(base))
      }
      #expect(bases[1] == 5 && bases[3] == 5 && bases[0] >= 5 && bases[2] >= 5, "\(bases)")
      try guest.demand(.setFeatures(features))
      try guest.setRingsUp(from: { bases[$0] })
      for pair in 0..<2 { try guest.enable(pair) }
      try guest.exchange(frames: 5, onTap: served.index)
      // Another driver, which begins at the beginning.
      try guest.demand(reset)
      try guest.demand(.setFeatures(features))
      try guest.share(pairs: 2)
      try guest.setRingsUp(from: { _ in nil })
      for pair in 0..<2 { try guest.enable(pair) }
      try guest.exchange(frames: 5, onTap: served.index)
      #expect(!served.process.errText.contains("refused"), "\(served.process.errText)")
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// SIGTERM while rings run.
  func endsInOrder() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      try guest.exchange(frames: 3, onTap: served.index)
      let outcome = try served.end()
      #expect(
        outcome.err.contains("this program is to end; rings stopped: 0 at ") && outcome.err.contains(", 1 at 3"),
        "\(outcome)")
      #expect(try guest.isClosedByPeer())
      try ShownDevice.idle("tap0")
    }
  }

  /// Without any privilege, and once.
  func asNobodyAndOnce() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2, "--user", "65534", "--once")
      try GuestRun.expectNoPrivilege(served.pid)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2)
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      let outcome = try served.process.wait()
      #expect(outcome.code == 0, "\(outcome)")
    }
  }
}
