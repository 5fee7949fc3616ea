import CLinuxUAPI
import Glibc
import LinuxIO
import LinuxIOTesting
import Synchronization
import SystemPackage
import Testing
import VhostUser
import Virtqueue

@testable import DataPlane

/// Drivers and front ends that do to memory and eventfds what none may do, while threads of `mqctl serve` use them.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunServeRingTests {
  /// The ring stands still, the front end hears of it by the ring's own eventfd and people by a line in the log; the other
  /// pair goes on, and the ring does too once it is started anew.
  @Test func aBrokenRingIsAloneInThat() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.userspace, pairs: 2)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 2)
      try guest.exchange(frames: 2, onTap: served.index)
      let error = try LinuxKernel().eventfd()
      try guest.demand(.setVringErr(VringFile(ring: 1, hasDescriptor: true)), with: [error.descriptor])
      let good = try guest.availableIndex(ofRing: 1, 1000)
      try guest.kick(ring: 1)
      #expect(try LinuxKernel().poll([error.descriptor], milliseconds: 20_000)[0])
      try served.process.waitForErrors("ring 1 is broken: the available index is further ahead")
      try guest.exchange(frames: 8, onTap: served.index, pair: 1)
      // Once only, whatever the guest goes on to do.
      for _ in 0..<100 { try guest.kick(ring: 1) }
      try guest.exchange(frames: 8, onTap: served.index, pair: 1)
      #expect(served.process.errText.split(separator: "\n").count { $0.contains("is broken") } == 1)

      guard case .vringState(_, let base) = try guest.ask(.getVringBase(ring: 1)) else { throw Errno.badMessage }
      #expect(base == 2, "as many as were sent")
      _ = try guest.availableIndex(ofRing: 1, good)
      try guest.setRingUp(1, base: UInt16(base))
      try guest.exchange(frames: 8, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// The whole of guest memory, so that the rings are gone; or its buffers alone, so that a call of the kernel's fails.
  @Test(arguments: [true, false]) func aTruncatedMemoryEndsTheConnectionAlone(_ isAll: Bool) async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.userspace, pairs: 1)
      for round in 1...3 {
        var guest = try FrontEnd(connectingTo: served.socket)
        try guest.start(pairs: 1)
        try guest.exchange(frames: 4, onTap: served.index)
        // From here on this process must not touch it either.
        try guest.truncateMemory(toRings: !isAll)
        if isAll {
          try guest.kick(ring: 1)
        } else {
          let socket = try LinuxKernel().packetSocket(interfaceIndex: served.index, etherType: 0x88B5)
          try LinuxKernel().write(FrontEnd.experiment, to: socket.descriptor)
        }
        #expect(try guest.isClosedByPeer())
        try served.process.waitForErrors("its memory is gone", times: round)
        _ = consume guest
        try served.expectIdle()
      }
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      _ = try served.end()
    }
  }

  /// Memory that goes between two messages is this process's own thread's to find out.
  @Test func aMemoryThatIsGoneBeforeItsRingsStart() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.userspace, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.negotiate()
      try guest.share(pairs: 1)
      try guest.setRingsUp()
      try guest.truncateMemory(toRings: false)
      try guest.send(FrontEndMessage.setVringEnable(ring: 0, isEnabled: true).encoded())
      #expect(try guest.isClosedByPeer())
      try served.process.waitForErrors("its memory is gone")
      _ = consume guest
      try served.expectIdle()
    }
  }

  /// A call eventfd whose counter is full, and that blocks: the thread that signals it waits, and is let go in the end.
  @Test func aFullCounterHoldsNobody() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.userspace, pairs: 1)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 1)
      try guest.exchange(frames: 1, onTap: served.index)
      let call = try LinuxKernel().eventfd()
      #expect(fcntl(call.rawValue, F_SETFL, 0) == 0)
      let full: [UInt8] = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
      try LinuxKernel().write(full, to: call.descriptor)
      try guest.demand(.setVringCall(VringFile(ring: 1, hasDescriptor: true)), with: [call.descriptor])
      try guest.sendOne(pair: 0)
      // It is stuck now, or will be; either way it can be stopped, and told where it was.
      let stopped = try guest.ask(.getVringBase(ring: 1))
      guard case .vringState(1, let base) = stopped else { throw Errno.badMessage }
      #expect((1...2).contains(base), "\(stopped)")
      _ = consume guest
      try served.expectIdle()
      _ = try served.end()
    }
  }

  /// Nothing that could block is taken for an eventfd.
  @Test func onlyEventfdsAreEventfds() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(.userspace, pairs: 1)
      let guest = try FrontEnd(connectingTo: served.socket)
      try guest.negotiate()
      let socket = try UnixStream.connect(to: served.socket)
      let memory = try FrontEnd.memory(byteCount: 4096)
      let poll = OwnedDescriptor(adopting: FileDescriptor(rawValue: mq_epoll_create()))
      let file = VringFile(ring: 0, hasDescriptor: true)
      for other in [socket.descriptor, memory.descriptor, poll.descriptor] {
        #expect(try guest.number(.setVringKick(file), with: [other]) != 0)
        #expect(try guest.number(.setVringCall(file), with: [other]) != 0)
        #expect(try guest.number(.setVringErr(file), with: [other]) != 0)
      }
      let event = try LinuxKernel().eventfd()
      try guest.demand(.setVringKick(file), with: [event.descriptor])
      #expect(try LinuxKernel().readFrame(from: event.descriptor, atMost: 8) == nil, "its counter is as it was")
    }
  }
}
