import LinuxIO
import LinuxIOTesting
import Testing

/// `mqctl create --replace`: the new tap, or the old one untouched.
extension TunTests {
  @Suite struct Replace {
    @Test func putsAnotherInItsPlace() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "8", "--address", "192.0.2.1/24", exits: 0)
        let old = try ShownDevice.named("tap0")
        let outcome = try mqctl(
          "create", "tap0", "--pairs", "4", "--address", "192.0.2.1/24", "--mtu", "9000", "--replace", exits: 0)
        #expect(outcome.out == "tap0: replaced, now with 4 queue pair(s)\n")
        let new = try ShownDevice.named("tap0")
        #expect(new.pairs == 4 && new.mtu == 9000 && new.up && new.addresses == ["192.0.2.1/24"])
        #expect(new.qdisc == "noqueue" && new.index != old.index)
        try expectLinks(["lo", "tap0"])
        try mqctl("create", "tap0", "--pairs", "4", "--address", "192.0.2.1/24", "--mtu", "9000", exits: 0)
      }
    }

    @Test func oneThatFailsLeavesTheOldOneUntouched() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "veth0", "type", "veth", "peer", "veth1")
        try mqctl("create", "tap0", "--pairs", "8", exits: 0)
        let before = (details: try ipDetails("tap0"), shown: try ShownDevice.idle("tap0"))
        let failing: [(words: [String], code: CInt)] = [
          (["--bridge", "br9"], 1), (["--bridge", "veth0"], 3), (["--owner", "no-such-user"], 1), (["--mtu", "67"], 2),
        ]
        for (words, code) in failing {
          let outcome = try Programs.run([Programs.mqctl, "create", "tap0", "--pairs", "4", "--replace"] + words)
          #expect(outcome.code == code, "\(outcome)")
          outcome.expectOneError()
          #expect(try ipDetails("tap0") == before.details)
          #expect(try ShownDevice.idle("tap0") == before.shown)
          try expectLinks(["lo", "tap0", "veth0", "veth1"])
        }
      }
    }

    /// An address that the kernel refuses fails only when the new tap is half made.
    @Test func oneThatFailsHalfWayLeavesTheOldOneUntouched() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "8", exits: 0)
        let before = (details: try ipDetails("tap0"), shown: try ShownDevice.idle("tap0"))
        // Below IPv6's least MTU a link has no IPv6.
        let outcome = try mqctl(
          "create", "tap0", "--pairs", "4", "--mtu", "1000", "--address", "192.0.2.1/24", "--address", "2001:db8::1/64",
          "--replace")
        #expect(outcome.code != 0)
        outcome.expectOneError(saying: "RTM_NEWADDR")
        #expect(try ipDetails("tap0") == before.details)
        #expect(try ShownDevice.idle("tap0") == before.shown)
        try expectLinks(["lo", "tap0"])
      }
    }

    @Test func aHeldTapIsNotReplaced() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let holder = try startMqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        try mqctl("create", "tap0", "--pairs", "4", "--replace", exits: 3)
          .expectOneError(saying: "tap0", "pid \(holder.processID)")
        let device = try ShownDevice.named("tap0")
        #expect(device.pairs == 2 && device.attachedQueues == 2)
        // The same words are no replacement.
        #expect(try mqctl("create", "tap0", "--pairs", "2", "--replace", exits: 0).out == "tap0: already so\n")
        holder.kill()
        _ = try holder.wait()
        try mqctl("create", "tap0", "--pairs", "4", "--replace", exits: 0)
        #expect(try ShownDevice.named("tap0").pairs == 4)
      }
    }

    /// One that somebody else made can be replaced: the words say so.
    @Test func anotherProgramsTapIsReplaced() async throws {
      try await FreshNamespace.run {
        try ip("tuntap", "add", "tap0", "mode", "tap")
        try mqctl("create", "tap0", "--pairs", "4", "--replace", exits: 0)
        let device = try ShownDevice.named("tap0")
        #expect(device.madeByMqctl && device.pairs == 4 && device.flags.contains("multi_queue"))
      }
    }

    @Test func whatIsNoTapIsNeverReplaced() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "veth0", "type", "veth", "peer", "veth1")
        try mqctl("create", "veth0", "--pairs", "4", "--replace", exits: 3).expectOneError(saying: "veth0", "no tap")
        #expect(try ip("-d", "link", "show", "veth0").contains("veth"))
      }
    }
  }
}
