import Foundation
import LinuxIO
import LinuxIOTesting
import Testing

extension TunTests {
  /// What `list`, `show`, `args`, `verify` and `doctor` say, to people and to machines.
  @Suite struct Report {
    private static func object(_ text: String) throws -> [String: Any] {
      let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
      return try #require(value as? [String: Any])
    }

    @Test func everyCommandsJSONParses() async throws {
      try await FreshNamespace.run {
        let commands: [[String]] = [
          ["create", "tap0", "--pairs", "4"], ["create", "tap0", "--pairs", "4"],
          ["create", "tap0", "--pairs", "2", "--replace"], ["list"], ["show", "tap0"], ["verify", "tap0"],
          ["verify", "--ephemeral", "--pairs", "2"], ["args", "tap0", "--for", "qemu"],
          ["args", "tap0", "--for", "libvirt"], ["doctor"], ["delete", "tap0", "tap9"],
        ]
        for words in commands {
          let outcome = try Programs.run([Programs.mqctl] + words + ["--json"])
          #expect(outcome.code == 0, "\(words): \(outcome)")
          #expect(outcome.out.filter { $0 == "\n" }.count == 1, "\(outcome)")
          #expect(try !Self.object(outcome.out).isEmpty, "\(outcome)")
        }
      }
    }

    @Test func errorsAreJSONToo() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "4", exits: 0)
        let failing: [(words: [String], code: CInt)] = [
          (["create", "tap0", "--pairs", "2"], 3), (["create", "tap1", "--pairs", "2", "--bridge", "br9"], 1),
          (["create", "tap1", "--pairs", "257"], 2), (["create", "tap1"], 2), (["show", "tap9"], 1),
          (["show", "tap9", "--netns", "none"], 1), (["args", "lo", "--for", "qemu"], 3), (["args", "tap0"], 2),
          (["verify", "tap9"], 1), (["delete", "lo"], 3), (["exec", "tap9", "--vhost", "off", "--", "true"], 1),
          (["nonsense"], 2),
        ]
        for (words, code) in failing {
          // Before `--`: what comes after is the command's.
          let outcome = try Programs.run([Programs.mqctl, words[0], "--json"] + words.dropFirst())
          #expect(outcome.code == code, "\(words): \(outcome)")
          #expect(outcome.out.isEmpty, "\(outcome)")
          let error = try ShownError(outcome).error
          #expect(error.code == code && !error.message.isEmpty, "\(outcome)")
        }
        let other = try mqctl("exec", "tap0", "--nonsense", "--", "true", "--json")
        #expect(other.code == 2)
        other.expectOneError(saying: "--nonsense")
      }
    }

    @Test func listIsATable() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        #expect(try mqctl("list", exits: 0).out.split(separator: "\n").count == 1)
        try mqctl("create", "tap0", "--pairs", "8", "--bridge", "br0", exits: 0)
        try mqctl("create", "tap1", "--pairs", "2", "--mtu", "9000", "--down", exits: 0)
        try ip("tuntap", "add", "other0", "mode", "tap")
        try ip("tuntap", "add", "tun0", "mode", "tun")
        let holder = try startMqctl(
          "exec", "tap0", "--vhost", "off", "--pairs", "3", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        // The shell becomes sleep after its last word.
        #expect(try eventually { try FileTree.text(of: "/proc/\(holder.processID)/comm") == "sleep" })
        let table = try mqctl("list", exits: 0).out.split(separator: "\n").map {
          $0.split(separator: " ").map(String.init)
        }
        #expect(table.map { $0[0] } == ["NAME", "tap0", "tap1", "other0"])
        #expect(table[1][1...3] == ["8", "3", "up"] && table[1].last == "sleep(\(holder.processID))")
        #expect(table[1].contains("br0") && table[1].contains("noqueue"))
        #expect(table[2][1...5] == ["2", "0", "down", "no", "9000"] && table[2].last == "-")
        #expect(table[3][1] == "-")
        #expect(try ShownDevice.all().map(\.name) == ["tap0", "tap1", "other0"])
      }
    }

    @Test func showSaysEverything() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        try mqctl(
          "create", "tap0", "--pairs", "8", "--bridge", "br0", "--owner", "nobody", "--group", "4242", "--mac",
          "fe:54:00:00:00:01", "--address", "192.0.2.1/24", exits: 0)
        let holder = try startMqctl("exec", "tap0", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        #expect(try eventually { try FileTree.text(of: "/proc/\(holder.processID)/comm") == "sleep" })
        let lines = try mqctl("show", "tap0", exits: 0).out.split(separator: "\n").map(String.init)
        func value(_ field: String) -> String? {
          lines.first { $0.hasPrefix("\(field) ") }.map {
            $0.dropFirst(field.count).trimmingCharacters(in: .whitespaces)
          }
        }
        #expect(value("pairs") == "8 wanted")
        #expect(value("queues") == "8 attached, 0 detached")
        #expect(value("flags") == "tap multi_queue vnet_hdr persist")
        #expect(value("owner") == "nobody (65534)" && value("group") == "4242")
        #expect(value("mac") == "fe:54:00:00:00:01, guest's 52:54:00:00:00:01")
        #expect(value("mtu") == "1500" && value("bridge") == "br0" && value("addresses") == "192.0.2.1/24")
        #expect(value("state") == "up, carrier" && value("qdisc") == "noqueue")
        #expect(value("held by") == "sleep (pid \(holder.processID)): 8 queue(s), 0 vhost")
        try mqctl("show", "tap9", exits: 1).expectOneError(saying: "there is no tap 'tap9'", "mqctl create tap9")
      }
    }

    /// A tap of the same name in another namespace is another tap.
    @Test func holdersAreThisNamespaces() async throws {
      try await FreshNamespace.run {
        let other = try NamedNamespace()
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try mqctl("create", "tap0", "--pairs", "2", "--netns", other.name, exits: 0)
        let holder = try startMqctl(
          "exec", "tap0", "--netns", other.name, "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        #expect(try ShownDevice.named("tap0").holders.isEmpty)
        #expect(try mqctl("show", "tap0", "--netns", other.name, exits: 0).out.contains("pid \(holder.processID)"))
        try mqctl("delete", "tap0", exits: 0)
        try mqctl("delete", "tap0", "--netns", other.name, exits: 3).expectOneError(saying: "pid \(holder.processID)")
      }
    }

    /// One that has the driver's node under another name, in a mount namespace of its own, as a container may.
    @Test func aHolderIsKnownWhateverItsNodeIsCalled() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let hold = """
          import fcntl, os, struct, sys
          for _ in range(2):
              queue = os.open(sys.argv[1] + "/network", os.O_RDWR)
              # TUNSETIFF: IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE
              fcntl.ioctl(queue, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x5102))
          print("ready", os.readlink(f"/proc/self/fd/{queue}"), flush=True)
          sys.stdin.read()
          """
        let folder = try PublicFolder()
        let holder = try RunningProcess([
          "unshare", "--mount", "sh", "-euc",
          "mount -t tmpfs none $1; touch $1/network; mount --bind /dev/net/tun $1/network; exec $2 -c \"$3\" $1", "sh",
          folder.path, Programs.python, hold,
        ])
        try holder.waitForOutput("ready \(folder.path)/network")
        let shown = try #require(try ShownDevice.named("tap0").holders.first)
        #expect(shown.pid == Int(holder.processID) && shown.attachedQueues == 2)
        try mqctl("delete", "tap0", exits: 3).expectOneError(saying: "2 open queue(s)", "pid \(holder.processID)")
      }
    }

    @Test(arguments: [1, 4])
    func argsForEveryHypervisor(pairs: Int) async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "\(pairs)", "--mac", "fe:54:00:00:00:01", exits: 0)
        let mac = "52:54:00:00:00:01"
        let many = pairs > 1
        let expected: [String: String] = [
          "qemu": "-netdev tap,id=tap0,ifname=tap0,script=no,downscript=no\(many ? ",queues=4" : ""),vhost=on "
            + "-device virtio-net-pci,netdev=tap0,mac=\(mac)\(many ? ",mq=on,vectors=10" : "")",
          "cloud-hypervisor": "--net tap=tap0,mac=\(mac),num_queues=\(2 * pairs)",
          "crosvm": "--net tap-name=tap0,mac=\(mac),vhost-net\(many ? ",vq-pairs=4" : "")",
        ]
        for (hypervisor, words) in expected {
          #expect(try mqctl("args", "tap0", "--for", hypervisor, exits: 0).out == words + "\n")
        }
        let xml = try mqctl("args", "tap0", "--for", "libvirt", exits: 0).out
        let document = try Programs.run([
          Programs.python, "-c",
          "import sys, xml.etree.ElementTree as e; x = e.fromstring(sys.argv[1]); d = x.find('driver'); "
            + "print(x.tag, x.get('type'), x.find('target').get('dev'), x.find('mac').get('address'), d.get('queues'))",
          xml,
        ])
        #expect(document.out == "interface ethernet tap0 \(mac) \(many ? "4" : "None")\n", "\(document)")
        #expect(try mqctl("args", "tap0", "--for", "crosvm", "--pairs", "2", exits: 0).out.contains("vq-pairs=2"))
        try mqctl("args", "tap9", "--for", "qemu", exits: 1).expectOneError(saying: "there is no tap 'tap9'")
        try mqctl("args", "tap0", "--for", "bochs", exits: 2).expectOneError(saying: "bochs", "cloud-hypervisor")
      }
    }

    @Test(arguments: [1, 8, 64])
    func verifyProvesEveryPair(pairs: Int) async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "\(pairs)", exits: 0)
        let table = try mqctl("verify", "tap0", "--vhost", "off", "--frames", "8", exits: 0).out
        let lines = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.count == pairs + 2 && lines[0].first == "PAIR", "\(table)")
        for pair in 0..<pairs {
          let row = lines[pair + 1]
          #expect(
            row[0] == "\(pair)" && row[3] == "8/8" && row[4] == "8/8" && row[5] == "0" && row.last == "ok", "\(row)")
        }
        #expect(
          table.hasSuffix("tap0: \(pairs) of \(pairs) pair(s) carry frames both ways, through tap queues alone\n"))
        try ShownDevice.idle("tap0")
      }
    }

    @Test func verifyOfItsOwnTapLeavesNothing() async throws {
      try await FreshNamespace.run {
        let outcome = try mqctl("verify", "--ephemeral", "--pairs", "3", "--vhost", "off", exits: 0)
        #expect(outcome.out.contains("3 of 3 pair(s)"), "\(outcome)")
        try expectLinks(["lo"])
        try mqctl("verify", exits: 2).expectOneError(saying: "--ephemeral")
        try mqctl("verify", "tap0", "--ephemeral", exits: 2).expectOneError(saying: "--ephemeral")
        try mqctl("verify", "tap0", "--frames", "0", exits: 2).expectOneError(saying: "--frames")
        try mqctl("verify", "tap9", exits: 1).expectOneError(saying: "there is no tap 'tap9'")
        try mqctl("create", "tap0", "--pairs", "2", "--down", exits: 0)
        try mqctl("verify", "tap0", "--vhost", "off", exits: 3).expectOneError(saying: "tap0 is down", "ip link set")
      }
    }

    @Test func doctorLooksAtEverything() async throws {
      try await FreshNamespace.run {
        let outcome = try mqctl("doctor", "--pairs", "256", exits: 0)
        for word in [
          "/dev/net/tun", "tun multi_queue", "vnet_hdr", "tun offloads", "/dev/vhost-net", "CAP_NET_ADMIN",
          "RLIMIT_NOFILE",
          "RLIMIT_NPROC", "256 pair(s)",
        ] {
          #expect(outcome.out.contains(word), "no \(word): \(outcome)")
        }
        let few = try Programs.run(["sh", "-c", "ulimit -n 256; exec \"$0\" doctor --pairs 256 --json", Programs.mqctl])
        #expect(few.code == 0 && few.out.contains(#""state":"less","what":"RLIMIT_NOFILE""#), "\(few)")
        try expectLinks(["lo"])
        try mqctl("doctor", "--pairs", "257", exits: 2).expectOneError(saying: "257")
      }
    }
  }
}
