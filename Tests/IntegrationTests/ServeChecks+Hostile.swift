import Glibc
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing
import VhostUser

/// Front ends that break rules: the server says which, and serves the next one.
extension ServeChecks {
  /// Frames that leave no way to go on: the connection is closed.
  private static let broken: [(name: String, bytes: [UInt8], says: String)] = [
    ("version", MessageHeader(request: 1, flags: 2, payloadSize: 0).bytes, "version"),
    ("reserved flags", MessageHeader(request: 1, flags: 0xF1, payloadSize: 0).bytes, "flags"),
    ("unknown request", MessageHeader(request: 99, flags: 1, payloadSize: 0).bytes, "99"),
    ("long payload", MessageHeader(request: 1, flags: 1, payloadSize: .max).bytes, "payload"),
    ("wrong payload", MessageHeader(request: 3, flags: 1, payloadSize: 4).bytes + [0, 0, 0, 0], "SET_OWNER"),
    ("noise", [UInt8](repeating: 0xA5, count: 64), "reserved flags"),
  ]

  func brokenFramesCloseTheConnection() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      for (count, message) in Self.broken.enumerated() {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.send(message.bytes)
        #expect(try guest.isClosedByPeer(), "\(message.name)")
        try served.process.waitForErrors("the connection has ended", times: count + 1)
        let line = served.process.errText.split(separator: "\n").last ?? ""
        #expect(line.contains(message.says), "\(message.name): \(line)")
      }
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  func descriptorsThatNobodyAskedFor() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      let file = try FrontEnd.memory(byteCount: 4096)
      for count in [1, 8, 32] {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.send(
          FrontEndMessage.getFeatures.encoded(), with: Array(repeating: file.descriptor, count: count))
        #expect(try guest.isClosedByPeer(), "\(count)")
      }
      // And in the middle of a message.
      let guest = try FrontEnd(connectingTo: served.socket)
      let bytes = FrontEndMessage.setFeatures([]).encoded()
      try guest.send(Array(bytes.prefix(14)))
      try guest.send(Array(bytes.dropFirst(14)), with: [file.descriptor])
      #expect(try guest.isClosedByPeer())
      try served.process.waitForErrors("descriptors in the middle of a message")
      _ = consume guest
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  func halfAMessage() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      for count in [1, 11, 12, 15] {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.send(Array(FrontEndMessage.setFeatures([]).encoded().prefix(count)))
        _ = consume guest
      }
      try served.process.waitForErrors("in the middle of a message", times: 4)
      // Silence is not waited for either.
      let guest = try FrontEnd(connectingTo: served.socket)
      try guest.send([1])
      #expect(try guest.isClosedByPeer())
      try served.process.waitForErrors("half a message, then nothing")
      _ = consume guest
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  /// What only fails: the front end is told, and may go on.
  func refusalsLeaveTheConnection() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.negotiate()
      let page = try FrontEnd.memory(byteCount: 4096)
      let node = OwnedDescriptor(
        adopting: unsafe try FileDescriptor.open("/dev/null", .readWrite, options: .closeOnExec))
      func region(_ byteCount: UInt64, at offset: UInt64 = 0) -> FrontEndMessage {
        .setMemTable([MemoryRegion(guestAddress: 0, byteCount: byteCount, userAddress: 0x1000, fileOffset: offset)])
      }
      #expect(try guest.number(region(8192), with: [page.descriptor]) != 0, "longer than its file")
      #expect(try guest.number(region(4096, at: 4096), with: [page.descriptor]) != 0, "behind its file")
      #expect(try guest.number(region(1 << 62), with: [page.descriptor]) != 0, "longer than anything")
      #expect(try guest.number(region(4096), with: [node.descriptor]) != 0, "no memory")
      #expect(try guest.number(.setFeatures(DeviceFeatures(rawValue: .max))) != 0, "not offered")
      #expect(try guest.number(.setVringNum(ring: 2, size: 64)) != 0, "no such ring")
      let kick = VringFile(ring: 0, hasDescriptor: true)
      #expect(try guest.number(.setVringKick(kick), with: [node.descriptor]) != 0, "no eventfd")
      #expect(try guest.number(.setVringKick(VringFile(ring: 0, hasDescriptor: false))) != 0, "polling")
      try guest.share(pairs: 1)
      try guest.demand(.setVringNum(ring: 0, size: 64))
      let outside = RingAddresses(descriptors: 0x10, used: 0x20, available: 0x30)
      #expect(try guest.number(.setVringAddr(ring: 0, outside)) != 0, "a ring outside")
      try served.process.waitForErrors("refused", times: 9)
      // And the very same connection does carry frames after all that.
      try guest.setRingsUp()
      try guest.enable(0)
      try guest.exchange(frames: 4, onTap: served.index)
      // The table cannot go while a ring runs in it.
      #expect(try guest.number(region(4096), with: [page.descriptor]) != 0)
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// A flood of refusals, and one of questions whose answers nobody reads.
  func floodsEnd() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      let first = try FrontEnd(connectingTo: served.socket)
      try first.negotiate()
      var refused = 0
      do {
        while refused < 10_000, try first.number(.setVringNum(ring: 77, size: 64)) != 0 { refused += 1 }
      } catch {}
      #expect((100...101).contains(refused))
      _ = consume first
      let second = try FrontEnd(connectingTo: served.socket)
      for _ in 0..<100_000 {
        do { try second.send(FrontEndMessage.getFeatures.encoded()) } catch { break }
      }
      try served.process.waitForErrors("does not read its answers")
      _ = consume second
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  static func serveOneProperly(_ served: ServedTap) throws {
    var guest = try FrontEnd(connectingTo: served.socket)
    try guest.start(pairs: 1)
    try guest.exchange(frames: 2, onTap: served.index)
    _ = consume guest
    try served.expectIdle()
    _ = try served.end()
  }
}
