import Glibc
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing
import VhostUser

@testable import DataPlane

private let page: UInt64 = 4096

private func region(
  _ guest: UInt64, _ byteCount: UInt64 = page, user: UInt64? = nil, at offset: UInt64 = 0
) -> MemoryRegion {
  MemoryRegion(guestAddress: guest, byteCount: byteCount, userAddress: user ?? 1 << 40 + guest, fileOffset: offset)
}

/// What a front end may not say, and what it may not do to its own memory: it is told, or the connection ends, and whoever comes
/// next is served.
extension ServeChecks {
  private static let refusedTables: [(name: String, table: [MemoryRegion], files: Int)] = [
    ("overlapping in the guest", [region(0, 2 * page), region(page, user: 1 << 41)], 2),
    ("overlapping in the front end", [region(0, 2 * page), region(2 * page, user: 1 << 40 + page)], 2),
    ("wrapping in the guest", [region(0 &- page, 2 * page, user: 1 << 40)], 1),
    ("wrapping in the front end", [region(0, 2 * page, user: 0 &- page)], 1),
    ("wrapping in its file", [region(0, page, at: 0 &- page)], 1),
    ("unaligned in the guest", [region(page / 2)], 1),
    ("unaligned in its file", [region(0, page, at: page / 2)], 1),
    ("of no whole pages", [region(0, page / 2)], 1),
    ("empty", [region(0, 0)], 1),
    ("longer than its file", [region(0, 1 << 30)], 1),
    ("without its descriptors", [region(0), region(page)], 0),
    ("with too few descriptors", [region(0), region(page)], 1),
    ("with too many descriptors", [region(0)], 2),
    ("of more regions than it has room for", (0..<9).map { region($0 * page) }, 8),
  ]

  func memoryTables() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      let file = try FrontEnd.memory(byteCount: 16 * Int(page))
      for (name, table, count) in Self.refusedTables {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.negotiate()
        try guest.expectRefusal(
          .setMemTable(table), with: Array(repeating: file.descriptor, count: count), "a table \(name)")
        guard table.count == 1, count == 1 else { continue }
        try guest.expectRefusal(.addMemReg(table[0]), with: [file.descriptor], "a region \(name)")
      }
      #expect(try served.guestMappings().isEmpty)
      // One more region than there may be.
      let guest = try FrontEnd(connectingTo: served.socket)
      try guest.negotiate()
      let slots = try guest.number(.getMaxMemSlots)
      for slot in 0..<slots {
        try guest.demand(.addMemReg(region(2 * slot * page)), with: [file.descriptor])
      }
      #expect(try served.guestMappings().count == Int(slots))
      try guest.expectRefusal(
        .addMemReg(region(2 * slots * page)), with: [file.descriptor], "region \(slots + 1)")
      try guest.expectRefusal(.remMemReg(region(page)), with: [], "a region that is not there")
      try guest.demand(.remMemReg(region(0)))
      _ = consume guest
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  /// What comes too early, or does not fit what was said before.
  func outOfOrder() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      let file = try FrontEnd.memory(byteCount: 1 << 20)
      // Before anything else: nothing can be answered yet, so the connection ends.
      for message in [
        FrontEndMessage.setProtocolFeatures([.replyAck]), .setVringEnable(ring: 0, isEnabled: true), .getQueueNum,
        .getMaxMemSlots, .resetDevice, .sendRARP([2, 0, 0, 0, 0, 1]),
      ] {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.expectRefusal(message, "\(message) first")
        #expect(try guest.isClosedByPeer(), "\(message)")
      }
      func addresses(_ descriptors: UInt64) -> FrontEndMessage {
        .setVringAddr(
          ring: 0,
          RingAddresses(descriptors: 1 << 40 + descriptors, used: 1 << 40 + 0x2000, available: 1 << 40 + 0x1000))
      }
      let size = FrontEndMessage.setVringNum(ring: 0, size: 64)
      let memory = FrontEndMessage.setMemTable([region(0, 1 << 20)])
      let log = FrontEndMessage.setLogBase(LogArea(byteCount: 1, fileOffset: 0))
      let early: [(name: String, said: [FrontEndMessage], message: FrontEndMessage)] = [
        ("a ring without memory", [size], addresses(0)), ("a ring without a size", [memory], addresses(0)),
        ("no power of two", [], .setVringNum(ring: 0, size: 63)),
        ("no ring at all", [], .setVringNum(ring: 0, size: 0)),
        ("a ring larger than there are", [], .setVringNum(ring: 0, size: 1 << 16)),
        ("a ring that is not there", [], .setVringNum(ring: 2, size: 64)),
        ("a base beyond any index", [], .getVringBase(ring: 1 << 31)),
        ("a table that is not aligned", [size, memory], addresses(8)),
        ("a table that ends outside", [size, memory], addresses(1 << 20 - 16)),
        ("a log too short for the memory", [memory], log),
      ]
      for (name, said, message) in early {
        let guest = try FrontEnd(connectingTo: served.socket)
        try guest.negotiate()
        for message in said { try guest.demand(message, with: message == memory ? [file.descriptor] : []) }
        try guest.expectRefusal(message, with: message == log ? [file.descriptor] : [], name)
      }
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.negotiate()
      try guest.share(pairs: 1)
      try guest.setRingsUp()
      try guest.enable(0)
      try guest.expectRefusal(.setVringNum(ring: 0, size: 128), "another size of a ring that runs")
      try guest.expectRefusal(.setVringBase(ring: 0, base: 7), "another base of a ring that runs")
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  /// Memory that is there when it is mapped and gone when it is used: the worker finds nothing there, and this process, which
  /// never looks, does not die of it.
  func memoryThatIsTakenAway() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2)
      try guest.exchange(frames: 4, onTap: served.index)
      try guest.truncateMemory()
      try guest.kick()
      // The host sends to it as well; to nobody, once who moves frames by itself has found out and closed the tap's queues.
      let socket = try LinuxKernel().packetSocket(interfaceIndex: served.index, etherType: 0x88B5)
      for _ in 0..<100 {
        do {
          try LinuxKernel().write(FrontEnd.experiment, to: socket.descriptor)
        } catch Errno.noBufferSpace where datapath == .userspace {}
      }
      try guest.kick()
      // vhost's rings stand there until they are stopped; who moves frames by itself has hung up.
      do {
        for ring: UInt32 in 0..<4 { _ = try guest.ask(.getVringBase(ring: ring)) }
        #expect(datapath == .kernel)
      } catch let failure as FrontEndConnection.Failure where failure.isTheEnd {}
      _ = consume guest
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }

  /// A guest that writes nonsense into its rings.
  func nonsenseInTheRings() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      for seed: UInt64 in 0..<10 {
        var guest = try FrontEnd(connectingTo: served.socket)
        try guest.start(pairs: 2)
        try guest.scribble(seed: seed)
        try guest.kick()
        _ = try guest.number(.getFeatures)
        try guest.scribble(seed: seed + 100)
        try guest.kick()
        for ring: UInt32 in 0..<4 { _ = try guest.ask(.getVringBase(ring: ring)) }
        _ = consume guest
      }
      try served.expectIdle()
      try Self.serveOneProperly(served)
    }
  }
}

extension FrontEnd {
  /// It is answered by a number that is not 0, or by the connection's end.
  fileprivate func expectRefusal(
    _ message: FrontEndMessage, with descriptors: [FileDescriptor] = [], _ what: String,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    do {
      #expect(try number(message, with: descriptors) != 0, "\(what) was taken", sourceLocation: location)
    } catch let failure as FrontEndConnection.Failure where failure.isTheEnd {}
  }
}
