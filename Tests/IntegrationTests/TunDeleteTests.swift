import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import SystemPackage
import TapMQ
import Testing

extension TunTests {
  /// `mqctl delete`: what goes, what is refused.
  @Suite struct Delete {
    @Test func severalAtOnceAndAbsentOnes() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try mqctl("create", "tap1", "--pairs", "2", exits: 0)
        let outcome = try mqctl("delete", "tap0", "tap1", "tap2", exits: 0)
        #expect(outcome.out == "tap0: deleted\ntap1: deleted\ntap2: there was none\n")
        let again = try mqctl("delete", "tap0", "--json", exits: 0)
        #expect(again.out == #"{"absent":["tap0"],"deleted":[]}"# + "\n")
        try expectLinks(["lo"])
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        #expect(try mqctl("delete", "tap0", "tap0", exits: 0).out == "tap0: deleted\ntap0: there was none\n")
        for name in ["tap0", "tap1"] { try mqctl("create", name, "--pairs", "2", exits: 0) }
        let twice = try mqctl("delete", "tap1", "tap0", "tap1", "tap2", exits: 0)
        #expect(twice.out == "tap1: deleted\ntap0: deleted\ntap1: there was none\ntap2: there was none\n")
        try expectLinks(["lo"])
        try mqctl("delete", exits: 2).expectOneError()
      }
    }

    @Test func oneRefusedStopsThemAll() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try ip("tuntap", "add", "other0", "mode", "tap", "multi_queue")
        try mqctl("delete", "tap0", "other0", exits: 3).expectOneError(
          saying: "other0 was not made by mqctl", "--force")
        try expectLinks(["lo", "other0", "tap0"])
        try mqctl("delete", "tap0", "other0", "--force", exits: 0)
        try expectLinks(["lo"])
      }
    }

    @Test func aForeignAliasIsNotOurs() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try ip("link", "set", "tap0", "alias", "mqctl pairs=2 of someone")
        try mqctl("delete", "tap0", exits: 3).expectOneError(saying: "tap0 was not made by mqctl")
        #expect(try !ShownDevice.named("tap0").madeByMqctl)
        try ip("link", "set", "tap0", "alias", "mqctl pairs=2")
        try mqctl("delete", "tap0", exits: 0)
      }
    }

    @Test func aHeldOneNeedsForce() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "4", exits: 0)
        let holder = try startMqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        try mqctl("delete", "tap0", exits: 3)
          .expectOneError(saying: "4 open queue(s)", "pid \(holder.processID)", "--force")
        #expect(try ShownDevice.named("tap0").attachedQueues == 4)
        try mqctl("delete", "tap0", "--force", exits: 0)
        try expectLinks(["lo"])
        // The holder lives on, with dead descriptors; the name is free.
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try ShownDevice.idle("tap0")
        #expect(try openDescriptors(of: Int(holder.processID)).values.count { $0 == "/dev/net/tun" } == 4)
      }
    }

    /// A detached queue is open too, although its descriptor names no device.
    @Test func aDetachedQueueHoldsItToo() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "4", exits: 0)
        let queue = try RawTap.queue("tap0")
        try RawTap.attach(queue, false)
        let device = try ShownDevice.named("tap0")
        #expect(device.attachedQueues == 0 && device.detachedQueues == 1 && device.carrier)
        try mqctl("delete", "tap0", exits: 3).expectOneError(saying: "1 open queue(s)")
        try mqctl("exec", "tap0", "--vhost", "off", "--", "true", exits: 3).expectOneError(saying: "1 open queue(s)")
        try mqctl("delete", "tap0", "--force", exits: 0)
        try expectLinks(["lo"])
        _ = consume queue
      }
    }

    /// 256 queues at once, the last that a tap takes, and gone in one message.
    @Test func aFullTap() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "256", exits: 0)
        let holder = try startMqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        let device = try ShownDevice.named("tap0")
        #expect(device.attachedQueues == 256 && device.holders.map(\.attachedQueues) == [256])
        #expect(RawTap.refusal { _ = try RawTap.queue("tap0") } == Errno(rawValue: E2BIG))
        try mqctl("exec", "tap0", "--pairs", "1", "--vhost", "off", "--", "true", exits: 3)
          .expectOneError(saying: "256 open queue(s)", "pid \(holder.processID)")
        try mqctl("delete", "tap0", "--force", exits: 0)
        try expectLinks(["lo"])
      }
    }
  }
}
