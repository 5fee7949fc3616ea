import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing
import VhostUser

@testable import DataPlane

/// What changes while rings run: guest memory, the dirty log; and what is said for the guest.
extension ServeChecks {
  /// As a migration begins and ends: the log is switched on and off under running rings.
  func theDirtyLogIsWritten() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      let plain: DeviceFeatures = [.version1, .protocolFeatures]
      try guest.start(pairs: 1, plain)
      try guest.exchange(frames: 4, onTap: served.index)
      // The guest's memory begins at 4 GiB: 0x10_0000 pages, a bit each, and as many again. As QEMU's, the log is no whole
      // number of pages, nor is its file.
      let byteCount = 2 * (0x10_0000 / 8) + 8
      let file = try FrontEnd.memory(byteCount: byteCount)
      let log = try LinuxKernel().mmap(file.descriptor, offset: 0, byteCount: byteCount)
      func dirty() -> [Int] {
        (0..<byteCount).filter { unsafe log.baseAddress.load(fromByteOffset: $0, as: UInt8.self) != 0 }
      }
      try guest.demand(.setLogBase(LogArea(byteCount: UInt64(byteCount), fileOffset: 0)), with: [file.descriptor])
      try guest.exchange(frames: 4, onTap: served.index)
      #expect(dirty().isEmpty, "LOG_ALL is not negotiated")
      try guest.demand(.setFeatures(plain.union(.logAll)))
      try guest.exchange(frames: 4, onTap: served.index)
      let first = dirty()
      #expect(!first.isEmpty && first.allSatisfy { $0 >= 0x10_0000 / 8 }, "\(first)")
      try guest.demand(.setFeatures(plain))
      // Only now: a frame of the host's own may have come meanwhile.
      for offset in dirty() { unsafe log.baseAddress.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
      try guest.exchange(frames: 40, onTap: served.index)
      #expect(dirty().isEmpty, "\(dirty())")
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// A front end that does not ask would go on without a log, and a guest that it migrates would lack what was written.
  func aLogThatIsRefused() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      let file = try FrontEnd.memory(byteCount: 1 << 20)
      let area = FrontEndMessage.setLogBase(LogArea(byteCount: 1 << 20 + 8, fileOffset: 0))
      #expect(try guest.number(area, with: [file.descriptor]) != 0, "longer than its file")
      try guest.exchange(frames: 4, onTap: served.index)
      try guest.send(area.encoded(), with: [file.descriptor])
      #expect(try guest.isClosedByPeer())
      try served.process.waitForErrors("the connection has ended: SET_LOG_BASE: dirty log: it ends at byte")
      _ = consume guest
      try served.expectIdle()
    }
  }

  func theGuestIsAnnounced() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      let socket = try LinuxKernel().packetSocket(interfaceIndex: served.index, etherType: 0x8035)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      let mac: [UInt8] = [0x52, 0x54, 0, 1, 2, 3]
      try guest.demand(.sendRARP(mac))
      #expect(try LinuxKernel().poll([socket.descriptor], milliseconds: 5000)[0])
      let frame = try #require(try LinuxKernel().readFrame(from: socket.descriptor))
      #expect(Array(frame.prefix(14)) == [UInt8](repeating: 0xFF, count: 6) + mac + [0x80, 0x35])
      #expect(Array(frame[14..<42]) == [0, 1, 8, 0, 6, 4, 0, 3] + mac + [0, 0, 0, 0] + mac + [0, 0, 0, 0])
      #expect(frame.count == 60)
    }
  }
}
