import LinuxIO
import LinuxIOTesting
import Testing

extension TunTests {
  /// Who may do what: nobody, a tap's owner, a member of its group.
  @Suite struct Permission {
    /// A copy of mqctl that every user may run.
    private static func publicBinary(_ folder: PublicFolder) throws -> String {
      try folder.copy(of: Programs.mqctl)
    }

    /// Runs a program as somebody without any capability.
    private static func run(
      as user: UInt32, group: UInt32? = nil, _ words: [String]
    ) throws -> Outcome {
      try Programs.run(
        [
          "setpriv", "--reuid=\(user)", "--regid=\(group ?? user)", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all",
        ] + words)
    }

    /// The same where every user may open /dev/net/tun, as Debian's udev has it: a node of its own in a mount namespace of
    /// its own, so that the machine's stays as it is.
    private static func runWithOpenNode(
      as user: UInt32, group: UInt32? = nil, _ folder: PublicFolder, _ words: [String]
    ) throws -> Outcome {
      let script = """
        mount -t tmpfs -o mode=755 none "$0" && mknod -m 666 "$0/tun" c 10 200 && mount --bind "$0/tun" /dev/net/tun &&
        umount -l "$0" && exec setpriv --reuid="$1" --regid="$2" --clear-groups --inh-caps=-all --bounding-set=-all \
        "${@:3}"
        """
      return try Programs.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "\(folder.path)/node", "\(user)"]
          + ["\(group ?? user)"] + words)
    }

    private static func makeNodeFolder(_ folder: PublicFolder) throws {
      let made = try Programs.run(["mkdir", "\(folder.path)/node"])
      #expect(made.code == 0, "\(made)")
    }

    @Test func nobodyMayChangeNothing() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        let binary = try Self.publicBinary(folder)
        try ip("link", "add", "br0", "type", "bridge")
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let before = (details: try ipDetails("tap0"), shown: try ShownDevice.idle("tap0"))
        let refused: [[String]] = [
          ["create", "tap1", "--pairs", "2"], ["create", "tap0", "--pairs", "4", "--replace"], ["delete", "tap0"],
          ["exec", "tap0", "--vhost", "off", "--", "true"], ["verify", "tap0"], ["verify", "--ephemeral"],
          ["exec", "tap1", "--ephemeral", "--pairs", "2", "--", "true"], ["list", "--netns", "/proc/1/ns/net"],
        ]
        for words in refused {
          let outcome = try Self.run(as: Programs.nobody, [binary] + words)
          #expect(outcome.code == 4, "\(words): \(outcome)")
          outcome.expectOneError(saying: "; ")
        }
        try expectLinks(["br0", "lo", "tap0"])
        #expect(try ipDetails("tap0") == before.details)
        #expect(try ShownDevice.idle("tap0") == before.shown)
        // Asking is for everyone.
        for words in [
          ["list"], ["show", "tap0"], ["args", "tap0", "--for", "qemu"], ["--version"], ["create", "--help"],
        ] {
          let outcome = try Self.run(as: Programs.nobody, [binary] + words)
          #expect(outcome.code == 0, "\(words): \(outcome)")
        }
        // The same words about a tap that is there change nothing, and so need no right.
        let same = try Self.run(as: Programs.nobody, [binary, "create", "tap0", "--pairs", "2"])
        #expect(same.code == 0 && same.out == "tap0: already so\n", "\(same)")
        let doctor = try Self.run(as: Programs.nobody, [binary, "doctor"])
        #expect(doctor.code == 4, "\(doctor)")
        #expect(doctor.out.contains("CAP_NET_ADMIN") && doctor.out.contains("not held"), "\(doctor)")
      }
    }

    @Test func anOpenNodeIsNoRightToMakeATap() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        try Self.makeNodeFolder(folder)
        let binary = try Self.publicBinary(folder)
        try mqctl("create", "tap0", "--pairs", "2", "--owner", "0", exits: 0)
        for words in [["create", "tap1", "--pairs", "2"], ["exec", "tap0", "--vhost", "off", "--", "true"]] {
          let outcome = try Self.runWithOpenNode(as: Programs.nobody, folder, [binary] + words)
          #expect(outcome.code == 4, "\(outcome)")
          outcome.expectOneError(saying: "TUNSETIFF", "CAP_NET_ADMIN", "--owner")
        }
        try expectLinks(["lo", "tap0"])
      }
    }

    /// tun_not_capable: what is not set is not asked for. A tap without owner and group, as ip(8) makes them, is anyone's
    /// who can open the node, and one with both is for those who are both. Ours has an owner if nothing is said.
    @Test func ownerAndGroupAsTheKernelHasThem() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        try Self.makeNodeFolder(folder)
        let binary = try Self.publicBinary(folder)
        func exec(_ name: String, group: UInt32) throws -> CInt {
          let words = [binary, "exec", name, "--vhost", "off", "--", "true"]
          return try Self.runWithOpenNode(as: 12345, group: group, folder, words).code
        }
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        #expect(try exec("tap0", group: 12345) == 4)
        try ip("tuntap", "add", "tap2", "mode", "tap", "multi_queue", "vnet_hdr")
        try ip("link", "set", "tap2", "alias", "mqctl pairs=2")
        #expect(try exec("tap2", group: 12345) == 0)
        try mqctl("create", "tap1", "--pairs", "2", "--owner", "12345", "--group", "54321", exits: 0)
        #expect(try exec("tap1", group: 12345) == 4)
        #expect(try exec("tap1", group: 54321) == 0)
      }
    }

    @Test func theOwnerMayUseItsTap() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        try Self.makeNodeFolder(folder)
        let binary = try Self.publicBinary(folder)
        try mqctl("create", "tap0", "--pairs", "4", "--owner", "nobody", exits: 0)
        let exec = [binary, "exec", "tap0", "--vhost", "off", "--"] + ExecProbe.command
        let outcome = try Self.runWithOpenNode(as: Programs.nobody, folder, exec)
        #expect(outcome.code == 0, "\(outcome)")
        let found = try ExecProbe(outcome)
        #expect(found.descriptors == Array(0..<7) && found.taps.map(\.name) == Array(repeating: "tap0", count: 4))
        #expect(found.capabilities == Array(repeating: ExecProbe.noCapability, count: 5))
        #expect(found.status["NoNewPrivs"] == "1" && found.status["Uid"]?.hasPrefix("65534\t") == true)
        // Another user may not, and the owner may not become another.
        let other = try Self.runWithOpenNode(as: 12345, folder, exec)
        #expect(other.code == 4, "\(other)")
        let become = try Self.runWithOpenNode(
          as: Programs.nobody, folder, [binary, "exec", "tap0", "--vhost", "off", "--user", "0", "--", "true"])
        #expect(become.code == 4, "\(become)")
        become.expectOneError(saying: "needs root")
      }
    }

    @Test func theGroupMayUseItsTap() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        try Self.makeNodeFolder(folder)
        let binary = try Self.publicBinary(folder)
        try mqctl("create", "tap0", "--pairs", "2", "--group", "54321", exits: 0)
        let exec = [binary, "exec", "tap0", "--vhost", "off", "--"] + ExecProbe.command
        let member = try Self.runWithOpenNode(as: 12345, group: 54321, folder, exec)
        #expect(member.code == 0, "\(member)")
        #expect(try ExecProbe(member).descriptors == Array(0..<5))
        let stranger = try Self.runWithOpenNode(as: 12345, folder, exec)
        #expect(stranger.code == 4, "\(stranger)")
      }
    }

    /// An owner that no database knows is shown by number.
    @Test func anOwnerWithoutAName() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", "--owner", "12345", exits: 0)
        let shown = try mqctl("show", "tap0", exits: 0)
        #expect(shown.out.contains("12345 (12345)"), "\(shown)")
        #expect(try ShownDevice.named("tap0").owner == 12345)
      }
    }
  }
}
