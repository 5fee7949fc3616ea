import CLinuxUAPI
import Glibc
import LinuxIO
import LinuxIOTesting
import TapMQ
import Testing

/// `mqctl exec` with taps alone: what the command inherits, and what it does not.
extension TunTests {
  @Suite struct Exec {
    private static func exec(_ words: [String], then command: [String] = ExecProbe.command) throws -> Outcome {
      // A variable of an outer manager must not survive.
      try Programs.run(
        [Programs.mqctl, "exec"] + words + ["--"] + command, environment: ["LISTEN_PID": "1", "LISTEN_FDS": "99"])
    }

    private static func probe(_ words: String..., and more: [String] = []) throws -> ExecProbe {
      let outcome = try exec(words, then: ExecProbe.command + more)
      #expect(outcome.code == 0, "\(outcome)")
      return try ExecProbe(outcome)
    }

    @Test(arguments: [1, 8, 64, 256])
    func theCommandInheritsExactlyTheQueues(pairs: Int) async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "\(pairs)", "--mac", "fe:54:00:12:34:56", exits: 0)
        // One that is open here and would be inherited.
        let stray = dup(0)
        defer { close(stray) }
        let found = try Self.probe(
          "tap0", "--vhost", "off", "--user", "nobody",
          and: ["{netdev}", "{device}", "a{tap-fds}b", "{vhost-fds}", "{mac}", "{other}"])
        #expect(found.descriptors == Array(0..<3 + pairs))
        #expect((3..<3 + pairs).allSatisfy { found.fds["\($0)"] == "/dev/net/tun" })
        let flags = TapFlags.multiQueueTap.union(.persistent)
        #expect(found.taps == Array(repeating: .init(name: "tap0", flags: Int(flags.rawValue)), count: pairs))

        let numbers = (3..<3 + pairs).map(String.init).joined(separator: ":")
        var environment = found.environment
        environment["MQCTL_BINARY"] = nil
        environment["MQCTL_CACHE"] = nil
        #expect(
          environment == [
            "LISTEN_PID": "\(found.pid)", "LISTEN_FDS": "\(pairs)",
            "LISTEN_FDNAMES": (0..<pairs).map { "tap-\($0)" }.joined(separator: ":"), "MQCTL_INTERFACE": "tap0",
            "MQCTL_PAIRS": "\(pairs)", "MQCTL_TAP_FDS": numbers, "MQCTL_VHOST_FDS": "",
            "MQCTL_MAC": "52:54:00:12:34:56",
          ])
        let many = pairs > 1 ? ",mq=on,vectors=\(2 * pairs + 2)" : ""
        #expect(
          found.words == [
            "tap,id=tap0,fds=\(numbers),vhost=off", "virtio-net-pci,netdev=tap0,mac=52:54:00:12:34:56\(many)",
            "a\(numbers)b", "", "52:54:00:12:34:56", "{other}",
          ])
        #expect(found.capabilities == Array(repeating: ExecProbe.noCapability, count: 5))
        #expect(found.status["NoNewPrivs"] == "1")
        #expect(
          found.status["Uid"] == "65534\t65534\t65534\t65534" && found.status["Gid"] == "65534\t65534\t65534\t65534")
        // The queues went with the command, the tap did not.
        #expect(try ShownDevice.idle("tap0").pairs == pairs)
      }
    }

    @Test func withoutAUserRootsCapabilitiesGoToo() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let found = try Self.probe("tap0", "--vhost", "off")
        #expect(found.capabilities == Array(repeating: ExecProbe.noCapability, count: 5))
        #expect(found.status["NoNewPrivs"] == "1" && found.status["Uid"] == "0\t0\t0\t0")
      }
    }

    @Test func keepCapsKeepsThem() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let own = try processStatus(ProcessControl.processID)
        let found = try Self.probe("tap0", "--vhost", "off", "--keep-caps")
        #expect(found.status["CapEff"] == own["CapEff"] && found.status["CapBnd"] == own["CapBnd"])
        #expect(found.status["NoNewPrivs"] == "0")
      }
    }

    @Test(arguments: ["65534", "nobody", "12345"])
    func runsAsTheUser(user: String) async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "1", exits: 0)
        let found = try Self.probe("tap0", "--vhost", "off", "--user", user)
        let id = user == "nobody" ? "65534" : user
        let four = Array(repeating: id, count: 4).joined(separator: "\t")
        #expect(found.status["Uid"] == four && found.status["Gid"] == four)
        #expect(found.status["Groups"]?.split(separator: " ").map(String.init) == [id])
      }
    }

    @Test func fewerPairsThanTheTapWasMadeFor() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "8", exits: 0)
        #expect(try Self.probe("tap0", "--vhost", "off", "--pairs", "3").descriptors == Array(0..<6))
        #expect(
          try mqctl("exec", "tap0", "--pairs", "257", "--vhost", "off", "--", "true", exits: 2).err.contains("257"))
      }
    }

    /// The tap is elsewhere; the command stays here.
    @Test func aTapOfAnotherNamespace() async throws {
      try await FreshNamespace.run {
        let other = try NamedNamespace()
        try mqctl("create", "tap0", "--pairs", "2", "--netns", other.name, exits: 0)
        let found = try Self.probe("tap0", "--vhost", "off", "--netns", other.name)
        #expect(found.descriptors == Array(0..<5) && found.taps.map(\.name) == ["tap0", "tap0"])
        #expect(found.namespace == (try FileTree.linkTarget(of: "/proc/thread-self/ns/net")))
        try mqctl("exec", "tap0", "--vhost", "off", "--", "true", exits: 1).expectOneError(
          saying: "there is no tap 'tap0'")
      }
    }

    @Test func autoSaysThatThereIsNoVhost() async throws {
      guard unsafe access("/dev/vhost-net", F_OK) != 0 else { return }
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let auto = try Self.exec(["tap0"])
        #expect(auto.code == 0 && auto.err.filter { $0 == "\n" }.count == 1, "\(auto)")
        #expect(auto.err.hasPrefix("mqctl: no vhost-net ("), "\(auto)")
        #expect(try ExecProbe(auto).descriptors == Array(0..<5))
        try mqctl("exec", "tap0", "--vhost", "require", "--", "true", exits: 5)
          .expectOneError(saying: "/dev/vhost-net", "modprobe vhost_net")
        try ShownDevice.idle("tap0")
      }
    }

    @Test func verifiesBeforeItLeaves() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "4", exits: 0)
        let found = try Self.probe("tap0", "--vhost", "off", "--verify")
        #expect(found.descriptors == Array(0..<7))
        try ip("link", "set", "tap0", "down")
        try mqctl("exec", "tap0", "--vhost", "off", "--verify", "--", "true", exits: 3)
          .expectOneError(saying: "tap0 is down", "ip link set tap0 up")
      }
    }

    @Test func anEphemeralTapEndsWithTheCommand() async throws {
      try await FreshNamespace.run {
        let command = try startMqctl(
          "exec", "tap0", "--ephemeral", "--pairs", "4", "--mtu", "9000", "--address", "192.0.2.1/24", "--vhost", "off",
          "--",
          "sh", "-c", "echo ready; read line")
        try command.waitForOutput("ready")
        let device = try ShownDevice.named("tap0")
        #expect(device.pairs == 4 && device.attachedQueues == 4 && device.mtu == 9000 && device.up && device.carrier)
        #expect(device.addresses == ["192.0.2.1/24"] && !device.flags.contains("persist"))
        #expect(device.holders.map(\.pid) == [Int(command.processID)])
        try mqctl("exec", "tap0", "--ephemeral", "--pairs", "4", "--", "true", exits: 3).expectOneError(saying: "tap0")
        try mqctl("create", "tap0", "--pairs", "4", "--mtu", "9000", "--address", "192.0.2.1/24", exits: 3)
          .expectOneError(saying: "persist is off, asked for on")
        try command.write("go\n")
        #expect(try command.wait().code == 0)
        try expectLinks(["lo"])
        // However it ends.
        let killed = try startMqctl(
          "exec", "tap0", "--ephemeral", "--pairs", "4", "--vhost", "off", "--", "sleep", "600")
        #expect(try eventually { try linkNames().contains("tap0") })
        killed.kill()
        _ = try killed.wait()
        try expectLinks(["lo"])
      }
    }

    @Test func aHeldTapIsNotShared() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "4", exits: 0)
        let holder = try startMqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        for command in [["exec", "tap0", "--vhost", "off", "--", "true"], ["verify", "tap0"]] {
          let outcome = try Programs.run([Programs.mqctl] + command)
          #expect(outcome.code == 3, "\(outcome)")
          outcome.expectOneError(saying: "tap0 has 4 open queue(s)", "pid \(holder.processID)")
        }
        #expect(try ShownDevice.named("tap0").attachedQueues == 4)
      }
    }

    @Test func whatItCannotRun() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try mqctl("exec", "tap0", "--vhost", "off", "--", "/no/such/program", exits: 1)
          .expectOneError(saying: "/no/such/program", "No such file")
        try mqctl("exec", "tap0", "--vhost", "off", "--", "/etc", exits: 4)
          .expectOneError(saying: "cannot run /etc", "ermission")
        try mqctl("exec", "tap0", "--vhost", "off", "--user", "no-such-user", "--", "true", exits: 1)
          .expectOneError(saying: "user 'no-such-user'")
        try mqctl("exec", "tap1", "--vhost", "off", "--", "true", exits: 1)
          .expectOneError(saying: "there is no tap 'tap1'", "mqctl create tap1")
        for words in [
          ["tap0"], ["tap0", "--"], ["tap0", "--mtu", "9000", "--", "true"], ["tap0", "--ephemeral", "--", "true"],
          ["tap0", "--vhost", "off", "--worker", "kthread", "--", "true"], ["tap0", "--vhost", "some", "--", "true"],
        ] {
          let outcome = try Programs.run([Programs.mqctl, "exec"] + words)
          #expect(outcome.code == 2, "\(words): \(outcome)")
          outcome.expectOneError()
        }
        // The command's own exit code is the command's.
        #expect(try mqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "exit 42").code == 42)
        try ShownDevice.idle("tap0")
      }
    }

    /// Descriptors are moved one by one: the limit need not hold them twice.
    @Test func aTightLimitOnOpenFiles() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "256", exits: 0)
        func exec(limit: Int) throws -> Outcome {
          let words = [Programs.mqctl, "exec", "tap0", "--vhost", "off", "--"] + ExecProbe.command
          return try Programs.run(["sh", "-c", "ulimit -n \(limit); exec \"$@\"", "sh"] + words)
        }
        let enough = try exec(limit: 280)
        #expect(enough.code == 0, "\(enough)")
        #expect(try ExecProbe(enough).descriptors == Array(0..<259))
        let few = try exec(limit: 100)
        #expect(few.code == 1)
        few.expectOneError(saying: "Too many open files", "ulimit -n")
        try ShownDevice.idle("tap0")
      }
    }

    @Test func standardDescriptorsThatAreClosed() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let words = [Programs.mqctl, "exec", "tap0", "--vhost", "off", "--"] + ExecProbe.command
        let outcome = try Programs.run(["sh", "-c", "exec \"$@\" <&- 2>&-", "sh"] + words)
        #expect(outcome.code == 0, "\(outcome)")
        let found = try ExecProbe(outcome)
        #expect(found.descriptors == Array(0..<5))
        #expect(found.fds["0"] == "/dev/null" && found.fds["2"] == "/dev/null")
      }
    }

    @Test func jsonSaysWhatIsHandedOver() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let outcome = try mqctl("exec", "tap0", "--vhost", "off", "--json", "--", "echo", "{tap-fds}", exits: 0)
        #expect(outcome.out == "3:4\n")
        #expect(outcome.err.contains(#""tapDescriptors":[3,4]"#) && outcome.err.contains(#""command":["echo","3:4"]"#))
      }
    }
  }
}
