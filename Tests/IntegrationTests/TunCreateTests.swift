import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import Testing

/// `mqctl create` on this machine's tun, as a user would run it.
extension TunTests {
  @Suite struct Create {
    @Test(arguments: [1, 8, 64, 256])
    func makesAPersistentTap(pairs: Int) async throws {
      try await FreshNamespace.run {
        let outcome = try mqctl("create", "tap0", "--pairs", "\(pairs)", exits: 0)
        #expect(outcome.out == "tap0: created with \(pairs) queue pair(s)\n")
        #expect(outcome.err.isEmpty)
        let device = try ShownDevice.idle("tap0")
        #expect(device.pairs == pairs)
        #expect(device.madeByMqctl)
        #expect(device.flags == ["tap", "multi_queue", "vnet_hdr", "persist"])
        #expect(device.attachedQueues == 0 && device.detachedQueues == 0 && device.holders.isEmpty)
        #expect(device.up && device.mtu == 1500 && device.bridge == nil && device.addresses.isEmpty)
        #expect(device.owner == 0 && device.group == nil)
        #expect(try ShownDevice.all() == [device])
        // ip(8) sees the same tap.
        let details = try ipDetails("tap0")
        #expect(details.contains(#""type":"tap""#) && details.contains(#""multi_queue":true"#), "\(details)")
        #expect(details.contains(#""vnet_hdr":true"#) && details.contains(#""persist":true"#), "\(details)")
        #expect(details.contains(#""pi":false"#) && details.contains(#""num_tx_queues":256"#), "\(details)")
        try mqctl("delete", "tap0", exits: 0)
        try expectLinks(["lo"])
      }
    }

    @Test(arguments: ["0", "257", "-1", "two", "99999999999999999999"])
    func refusesPairsThatATapDoesNotTake(pairs: String) async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs=\(pairs)", exits: 2).expectOneError(saying: pairs)
        try expectLinks(["lo"])
      }
    }

    /// `create` reads plain words by itself and leaves all others to ArgumentParser: both must find the same in them.
    @Test func wordsMeanTheSameHoweverTheyAreWritten() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        let options = [
          ("--pairs", "8"), ("--owner", "nobody"), ("--group", "65534"), ("--mac", "fe:54:00:12:34:56"),
          ("--mtu", "9000"), ("--bridge", "br0"), ("--address", "192.0.2.1/24"), ("--address", "2001:db8::1/64"),
          ("--qdisc", "default"),
          ("--netns", "/proc/\(ProcessControl.processID)/task/\(ProcessControl.threadID)/ns/net"),
        ]
        let plain = ["tap0"] + options.flatMap { [$0.0, $0.1] } + ["--down"]
        let joined = ["--down"] + options.map { "\($0.0)=\($0.1)" } + ["--", "tap0"]
        for (first, second) in [(plain, joined), (joined, plain)] {
          let made = try Programs.run([Programs.mqctl, "create"] + first)
          #expect(made.code == 0 && made.out == "tap0: created with 8 queue pair(s)\n", "\(made)")
          let again = try Programs.run([Programs.mqctl, "create"] + second)
          #expect(again.code == 0 && again.out == "tap0: already so\n", "\(again)")
          try mqctl("delete", "tap0", exits: 0)
        }
      }
    }

    @Test(arguments: [
      ("--pairs", "x"), ("--mtu", "67"), ("--mtu", "x"), ("--mac", "1:2"), ("--bridge", "a b"),
      ("--address", "192.0.2.1/33"), ("--qdisc", "fq"), ("--owner", "no-such-user"),
      ("--group", "no-such-group"), ("--netns", "no-such-namespace"),
    ])
    func badValuesAreToldOfHoweverTheyAreWritten(option: String, value: String) async throws {
      let start = [Programs.mqctl, "create", "tap0"] + (option == "--pairs" ? [] : ["--pairs", "8"])
      try await FreshNamespace.run {
        let plain = try Programs.run(start + [option, value])
        let joined = try Programs.run(start + ["\(option)=\(value)"])
        #expect(plain.code != 0 && plain.code == joined.code && plain.err == joined.err, "\(plain) \(joined)")
        try expectLinks(["lo"])
      }
    }

    @Test func sameWordsAgainChangeNothing() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        let words = [
          Programs.mqctl, "create", "tap0", "--pairs", "8", "--owner", "nobody", "--group", "65534", "--mac",
          "fe:54:00:12:34:56", "--mtu", "9000", "--bridge", "br0", "--address", "192.0.2.1/24", "--address",
          "2001:db8::1/64",
        ]
        let first = try Programs.run(words)
        #expect(first.code == 0, "\(first)")
        let before = (details: try ipDetails("tap0"), shown: try ShownDevice.idle("tap0"))
        let again = try Programs.run(words)
        #expect(again.code == 0 && again.out == "tap0: already so\n", "\(again)")
        let replacing = try Programs.run(words + ["--replace"])
        #expect(replacing.code == 0 && replacing.out == "tap0: already so\n", "\(replacing)")
        #expect(try ipDetails("tap0") == before.details)
        #expect(try ShownDevice.idle("tap0") == before.shown)
      }
    }

    @Test func anotherSpecIsRefusedWithItsDifferences() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        try mqctl("create", "tap0", "--pairs", "8", exits: 0)
        let before = (details: try ipDetails("tap0"), shown: try ShownDevice.idle("tap0"))
        let others: [(words: [String], difference: String)] = [
          (["--pairs", "4"], "pairs is 8, asked for 4"), (["--mtu", "9000"], "mtu is 1500, asked for 9000"),
          (["--owner", "1"], "owner is 0, asked for 1"), (["--group", "1"], "group is none, asked for 1"),
          (["--bridge", "br0"], "bridge is none, asked for br0"), (["--down"], "state is up, asked for down"),
          (["--address", "192.0.2.1/24"], "addresses is none, asked for 192.0.2.1/24"),
          (["--qdisc", "default"], "qdisc is noqueue, asked for default"),
          (["--mac", "fe:54:00:12:34:56"], "mac is \(before.shown.mac ?? ""), asked for fe:54:00:12:34:56"),
        ]
        for (words, difference) in others {
          let pairs = words.contains("--pairs") ? [] : ["--pairs", "8"]
          let outcome = try Programs.run([Programs.mqctl, "create", "tap0"] + pairs + words)
          #expect(outcome.code == 3, "\(outcome)")
          outcome.expectOneError(saying: "tap0", difference, "--replace")
        }
        try mqctl("create", "tap0", "--pairs", "4", "--mtu", "9000", exits: 3)
          .expectOneError(saying: "pairs is 8, asked for 4", "mtu is 1500, asked for 9000")
        #expect(try ipDetails("tap0") == before.details)
        #expect(try ShownDevice.idle("tap0") == before.shown)
      }
    }

    @Test func theWordsAreWhatTheTapIs() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        try mqctl(
          "create", "tap0", "--pairs", "2", "--mac", "FE:54:00:12:34:56", "--mtu", "65521", "--bridge", "br0",
          "--address",
          "192.0.2.1/24", "--address", "2001:db8::1/64", "--owner", "nobody", "--group", "nogroup", exits: 0)
        let device = try ShownDevice.named("tap0")
        #expect(device.mac == "fe:54:00:12:34:56" && device.guestMAC == "52:54:00:12:34:56")
        #expect(device.mtu == 65521 && device.bridge == "br0" && device.up && device.qdisc == "noqueue")
        #expect(device.addresses == ["192.0.2.1/24", "2001:db8::1/64"])
        #expect(device.owner == 65534 && device.group == 65534)
        let addresses = try ip("-j", "address", "show", "dev", "tap0")
        #expect(addresses.contains(#""local":"192.0.2.1","prefixlen":24"#), "\(addresses)")
        #expect(addresses.contains(#""local":"2001:db8::1","prefixlen":64"#), "\(addresses)")
        #expect(try ipDetails("tap0").contains(#""user":"nobody","group":"nogroup""#))
        try mqctl("create", "tap1", "--pairs", "2", "--down", "--mtu", "68", exits: 0)
        let other = try ShownDevice.named("tap1")
        #expect(!other.up && other.mtu == 68)
      }
    }

    /// noqueue means no ring for any of the 256 transmit queues; the kernel's default gives each one.
    @Test func noqueueIsSetBeforeTheLinkGoesUp() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try mqctl("create", "tap1", "--pairs", "2", "--qdisc", "default", exits: 0)
        func disciplines(of name: String) throws -> [String] {
          let lines = try Programs.run(["tc", "qdisc", "show", "dev", name])
          #expect(lines.code == 0, "\(lines)")
          return lines.out.split(separator: "\n").map(String.init)
        }
        let none = try disciplines(of: "tap0")
        #expect(none.count == 1 && none[0].hasPrefix("qdisc noqueue"), "\(none)")
        let rings = try disciplines(of: "tap1")
        #expect(rings.count > 1 && rings.contains { $0.hasPrefix("qdisc mq") }, "\(rings)")
        #expect(try ShownDevice.named("tap0").qdisc == "noqueue")
        #expect(try ShownDevice.named("tap1").qdisc == "mq")
        try mqctl("create", "tap1", "--pairs", "2", "--qdisc", "default", exits: 0)
      }
    }

    @Test func backpressureWhereTheKernelHasIt() async throws {
      try await FreshNamespace.run {
        let doctor = try mqctl("doctor", "--json", exits: 0)
        let outcome = try mqctl("create", "tap0", "--pairs", "2", "--backpressure")
        if doctor.out.contains("backpressure") {
          #expect(outcome.code == 0, "\(outcome)")
          let device = try ShownDevice.named("tap0")
          #expect(device.flags.contains("backpressure") && device.qdisc != "noqueue")
        } else {
          #expect(outcome.code == 5)
          outcome.expectOneError(saying: "backpressure", "Linux 7")
          try expectLinks(["lo"])
        }
        try mqctl("create", "tap1", "--pairs", "2", "--backpressure", "--qdisc", "noqueue", exits: 2)
          .expectOneError(saying: "backpressure", "--qdisc")
      }
    }

    @Test(arguments: [
      ["--mtu", "67"], ["--mtu", "65522"], ["--mtu", "0"], ["--mtu", "big"], ["--mtu=-1"], ["--mac", "nonsense"],
      ["--mac", "52:54:00:12:34"], ["--mac", "53:54:00:12:34:56"], ["--mac", "00:00:00:00:00:00"],
      ["--mac", "ff:ff:ff:ff:ff:ff"], ["--address", "192.0.2.1/33"], ["--address", "192.0.2.256/24"],
      ["--address", "2001:db8::1/129"], ["--address", "somewhere"],
      ["--address", "192.0.2.1/24", "--address", "192.0.2.1/24"],
      ["--bridge", "a/b"], ["--bridge", "a-name-of-17-byte"], ["--qdisc", "fq"], ["--pairs", "2"], ["--colour", "red"],
    ])
    func refusesWordsThatMeanNothing(words: [String]) async throws {
      try await FreshNamespace.run {
        let pairs = words.contains("--pairs") ? [] : ["--pairs", "2"]
        let name = words.contains("--pairs") ? "no/name" : "tap0"
        let outcome = try Programs.run([Programs.mqctl, "create", name] + pairs + words)
        #expect(outcome.code == 2, "\(words): \(outcome)")
        outcome.expectOneError()
        try expectLinks(["lo"])
      }
    }

    @Test func saysWhatIsNotThere() async throws {
      try await FreshNamespace.run {
        let absent: [(words: [String], saying: String)] = [
          (["--owner", "no-such-user"], "user 'no-such-user'"),
          (["--group", "no-such-group"], "group 'no-such-group'"),
          (["--bridge", "br9"], "bridge 'br9'"), (["--netns", "no-such-netns"], "network namespace 'no-such-netns'"),
          (["--netns", "/no/such/path"], "/no/such/path"), (["--netns", "999999999"], "999999999"),
        ]
        for (words, saying) in absent {
          let outcome = try Programs.run([Programs.mqctl, "create", "tap0", "--pairs", "2"] + words)
          #expect(outcome.code == 1, "\(outcome)")
          outcome.expectOneError(saying: saying, "; ")
          try expectLinks(["lo"])
        }
        try mqctl("create", "tap0", "--pairs", "2", "--netns", "/etc/hostname", exits: 2)
          .expectOneError(saying: "/etc/hostname", "no network namespace")
      }
    }

    @Test func aBridgeMustBeOne() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "veth0", "type", "veth", "peer", "veth1")
        try mqctl("create", "tap0", "--pairs", "2", "--bridge", "veth0", exits: 3)
          .expectOneError(saying: "veth0 is no bridge")
        try mqctl("create", "tap0", "--pairs", "2", "--bridge", "lo", exits: 3).expectOneError(
          saying: "lo is no bridge")
        try expectLinks(["lo", "veth0", "veth1"])
      }
    }

    /// By name, by process, by path: the tap is there and not here.
    @Test func makesItInAnotherNamespace() async throws {
      try await FreshNamespace.run {
        let other = try NamedNamespace()
        let sleeper = try RunningProcess(["ip", "netns", "exec", other.name, "sh", "-c", "echo ready; exec sleep 600"])
        try sleeper.waitForOutput("ready")
        let ways = [
          other.name, "\(sleeper.processID)", "/run/netns/\(other.name)", "/proc/\(sleeper.processID)/ns/net",
        ]
        for (number, way) in ways.enumerated() {
          try mqctl("create", "tap\(number)", "--pairs", "2", "--netns", way, exits: 0)
          #expect(try mqctl("show", "tap\(number)", "--netns", way, exits: 0).out.contains("2 wanted"))
        }
        try expectLinks(["lo"])
        let listed = try mqctl("list", "--netns", other.name, exits: 0).out
        #expect((0..<4).allSatisfy { listed.contains("tap\($0)") }, "\(listed)")
        let there = try other.run("ip", "-br", "link").out
        #expect((0..<4).allSatisfy { there.contains("tap\($0)") }, "\(there)")
        try mqctl("delete", "tap0", "tap1", "tap2", "tap3", "--netns", other.name, exits: 0)
        #expect(try !other.run("ip", "-br", "link").out.contains("tap"))
      }
    }
  }
}
