import Foundation
import Glibc
import LinuxIO
import LinuxIOTesting
import Testing

/// `mqctl apply` killed, and two of them at once.
extension TunTests {
  @Suite struct ApplyInterrupted {
    /// What a namespace is to become from, and to: devices to be made, changed, replaced and removed.
    private static let before = """
      devices:
      - {name: same, pairs: 1, mac: "02:00:00:00:00:01"}
      - {name: changed, pairs: 1, mtu: 9000, addresses: [192.0.2.1/24, "2001:db8::1/64"], mac: "02:00:00:00:00:02"}
      - {name: owned, pairs: 1, owner: 5, mac: "02:00:00:00:00:03"}
      - {name: replaced, pairs: 1, qdisc: default, mac: "02:00:00:00:00:04"}
      - {name: gone0, pairs: 1}
      - {name: gone1, pairs: 1}
      """
    private static let after = """
      devices:
      - {name: same, pairs: 1, mac: "02:00:00:00:00:01"}
      - {name: changed, pairs: 8, bridge: br0, addresses: [192.0.2.2/24], mac: "02:00:00:00:00:12"}
      - {name: owned, pairs: 1, owner: 6, group: 7, down: true, mac: "02:00:00:00:00:03"}
      - {name: replaced, pairs: 2, mac: "02:00:00:00:00:14"}
      - {name: new0, pairs: 8, bridge: br0, addresses: [198.51.100.1/24], mac: "02:00:00:00:00:05"}
      - {name: new1, pairs: 8, mtu: 9000, owner: 5, mac: "02:00:00:00:00:06"}
      """

    /// Everything but what differs from device to device, and a carrier that follows in its own time.
    private static func state() throws -> [String] {
      // A queue that was closed may be open a moment longer, in whoever reads /proc.
      var devices = try ShownDevice.all()
      _ = try eventually {
        if devices.allSatisfy({ $0.attachedQueues + $0.detachedQueues == 0 }) { return true }
        devices = try ShownDevice.all()
        return false
      }
      return devices.map { device in
        "\(device.name) \(device.pairs ?? 0) \(device.flags) \(device.owner ?? 0) \(device.group ?? 0) \(device.mac ?? "") "
          + "\(device.mtu) \(device.bridge ?? "") \(device.addresses) \(device.up) \(device.qdisc ?? "")"
      }.sorted()
    }

    private static func apply(_ file: String, through words: [String] = []) throws -> Outcome {
      try Programs.run(words + [Programs.mqctl, "apply", file, "--prune"])
    }

    /// The state that an apply leads to which nobody interrupts.
    private static func uninterrupted(_ before: Apply.DeviceFile, _ after: Apply.DeviceFile) throws -> [String] {
      try ip("link", "add", "br0", "type", "bridge")
      #expect(try apply(before.path).code == 0)
      #expect(try apply(after.path).out.hasSuffix("2 created, 2 changed, 1 replaced, 2 removed, 1 as wanted\n"))
      return try state()
    }

    /// Kills it before its nth call of each kind that changes something, for every n.
    @Test(arguments: ["ioctl", "sendto"])
    func killedBeforeAnyCall(_ call: String) async throws {
      try await FreshNamespace.run {
        let before = try Apply.DeviceFile(Self.before)
        let after = try Apply.DeviceFile(Self.after)
        let expected = try Self.uninterrupted(before, after)
        var kills = 0
        for number in 1...200 {
          #expect(try Self.apply(before.path).code == 0)
          let strace = [
            "strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
            "inject=\(call):signal=SIGKILL:when=\(number)",
          ]
          let killed = try Self.apply(after.path, through: strace)
          guard killed.code != 0 else { break }
          #expect(killed.code == 128 + SIGKILL, "\(killed)")
          kills += 1
          let next = try Self.apply(after.path)
          #expect(next.code == 0, "after a kill before \(call) \(number): \(next)")
          #expect(try Self.state() == expected, "after a kill before \(call) \(number)")
          try expectLinks(["br0", "changed", "lo", "new0", "new1", "owned", "replaced", "same"])
          #expect(!(try ip("-d", "link")).contains("group 1"), "a group of ours is left")
        }
        print("killed before each \(call) of \(kills)")
        #expect((5..<200).contains(kills))
      }
    }

    @Test(arguments: [SIGKILL, SIGINT])
    func killedAtAnyMoment(_ signal: CInt) async throws {
      try await FreshNamespace.run {
        let before = try Apply.DeviceFile(Self.before)
        let after = try Apply.DeviceFile(Self.after)
        let expected = try Self.uninterrupted(before, after)
        #expect(try Self.apply(before.path).code == 0)
        let clock = ContinuousClock()
        let start = clock.now
        #expect(try Self.apply(after.path).code == 0)
        let whole = clock.now - start
        var interrupted = 0
        for round in 0..<40 {
          #expect(try Self.apply(before.path).code == 0)
          // A shell's job in the background ignores SIGINT, and so do the tests in one.
          let process = try RunningProcess([
            "env", "--default-signal=INT", Programs.mqctl, "apply", after.path, "--prune",
          ])
          // From before its first call to after its last.
          let moment = whole * Double.random(in: 0...1.2)
          usleep(UInt32(moment / .microseconds(1)))
          process.kill(signal)
          if try process.wait().code != 0 { interrupted += 1 }
          let next = try Self.apply(after.path)
          #expect(next.code == 0, "round \(round): \(next)")
          #expect(try Self.state() == expected, "round \(round)")
        }
        print("interrupted \(interrupted) of 40 times by signal \(signal)")
        #expect(interrupted > 0)
      }
    }

    /// A lock of the kernel's on the namespace's byte of /run/mqctl/lock, which another program can hold as well.
    @Test func twoAtOnce() async throws {
      try await FreshNamespace.run {
        let file = try Apply.DeviceFile("devices: [{name: tap0, pairs: 1}]")
        try mqctl("apply", file.path, exits: 0)
        let script = """
          import fcntl, os, time
          file = open('/run/mqctl/lock', 'r+b')
          fcntl.lockf(file, fcntl.LOCK_EX, 1, os.stat('/proc/self/ns/net').st_ino)
          print('ready', flush=True)
          time.sleep(600)
          """
        let holder = try RunningProcess([Programs.python, "-c", script])
        try holder.waitForOutput("ready")
        try file.write("devices: [{name: tap0, pairs: 2}]")
        try mqctl("apply", file.path, "--no-wait", exits: 3)
          .expectOneError(saying: "another 'mqctl apply'", "pid \(holder.processID)")
        // It keeps nobody from looking.
        try mqctl("plan", file.path, exits: 10)
        let waiting = try startMqctl("apply", file.path)
        try waiting.waitForErrors("waiting for another 'mqctl apply' (pid \(holder.processID))")
        #expect(try ShownDevice.named("tap0").pairs == 1)
        holder.kill()
        let outcome = try waiting.wait()
        #expect(outcome.code == 0 && outcome.out.hasSuffix("\n1 changed\n"), "\(outcome)")
      }
    }

    @Test func manyAtOnceAgree() async throws {
      try await FreshNamespace.run {
        let devices = (0..<20).map { "- {name: tap\($0), pairs: 8}" }.joined(separator: "\n")
        let file = try Apply.DeviceFile("devices:\n\(devices)\n")
        let all = try (0..<4).map { _ in try startMqctl("apply", file.path) }
        let outcomes = try all.map { try $0.wait() }
        #expect(outcomes.allSatisfy { $0.code == 0 }, "\(outcomes)")
        #expect(outcomes.count { $0.out.hasSuffix("\n20 created\n") } == 1, "\(outcomes)")
        #expect(outcomes.count { $0.out == "20 as wanted\n" } == 3, "\(outcomes)")
      }
    }
  }
}
