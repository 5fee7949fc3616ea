import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import SystemPackage
import TapMQ
import Testing

/// Names that something else has, and taps that other programs made or changed.
extension TunTests {
  @Suite struct Foreign {
    /// Every command about one name, with what it needs besides.
    private static let commands: [[String]] = [
      ["create", "--pairs", "2"], ["create", "--pairs", "2", "--replace"], ["delete"], ["delete", "--force"], ["show"],
      ["exec", "--vhost", "off", "--pairs", "2", "--", "true"], ["verify", "--pairs", "2"],
      ["args", "--for", "qemu", "--pairs", "2"], ["exec", "--ephemeral", "--pairs", "2", "--", "true"],
    ]

    private static func run(_ command: [String], on name: String) throws -> Outcome {
      try Programs.run([Programs.mqctl, command[0], name] + command.dropFirst())
    }

    @Test(arguments: ["veth", "bridge", "tun"])
    func aNameInUseByWhatIsNoTap(kind: String) async throws {
      try await FreshNamespace.run {
        switch kind {
        case "tun": try ip("tuntap", "add", "taken", "mode", "tun")
        case "veth": try ip("link", "add", "taken", "type", "veth", "peer", "other")
        default: try ip("link", "add", "taken", "type", kind)
        }
        let before = try ip("-d", "-j", "link", "show", "taken")
        for command in Self.commands {
          let outcome = try Self.run(command, on: "taken")
          #expect(outcome.code == 3, "\(command): \(outcome)")
          outcome.expectOneError(saying: "taken", "no tap")
        }
        #expect(try ip("-d", "-j", "link", "show", "taken") == before)
        #expect(try ShownDevice.all().isEmpty)
      }
    }

    @Test func anAlternativeNameIsNoTapOfOurs() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        try ip("link", "property", "add", "dev", "tap0", "altname", "other0")
        let before = try ipDetails("tap0")
        try mqctl("create", "other0", "--pairs", "2", exits: 3).expectOneError(saying: "name is tap0, asked for other0")
        #expect(try ipDetails("tap0") == before)
        try expectLinks(["lo", "tap0"])
      }
    }

    @Test(arguments: [true, false])
    func aTapWithoutMultiQueue(byIP: Bool) async throws {
      try await FreshNamespace.run {
        if byIP {
          try ip("tuntap", "add", "old0", "mode", "tap", "vnet_hdr")
        } else {
          let queue = try RawTap.queue("old0", [.tap, .noPacketInformation, .vnetHeader])
          try RawTap.persist(queue)
        }
        try ip("link", "set", "old0", "up")
        let before = try ip("-d", "-j", "link", "show", "old0")
        try mqctl("create", "old0", "--pairs", "2", exits: 3)
          .expectOneError(saying: "multi_queue is off, asked for on", "not made by mqctl")
        try mqctl("exec", "old0", "--pairs", "2", "--vhost", "off", "--", "true", exits: 3)
          .expectOneError(saying: "old0", "multi_queue", "--replace")
        try mqctl("verify", "old0", "--pairs", "2", exits: 3).expectOneError(saying: "old0", "multi_queue")
        try mqctl("delete", "old0", exits: 3).expectOneError(saying: "not made by mqctl", "--force")
        #expect(try ip("-d", "-j", "link", "show", "old0") == before)
        let device = try ShownDevice.named("old0")
        #expect(!device.madeByMqctl && device.pairs == nil && !device.flags.contains("multi_queue"))
        try mqctl("delete", "old0", "--force", exits: 0)
        try expectLinks(["lo"])
      }
    }

    /// A multi-queue tap of another program's can be used: its pairs must be said, for nothing remembers them.
    @Test func anotherProgramsMultiQueueTap() async throws {
      try await FreshNamespace.run {
        try ip("tuntap", "add", "mq0", "mode", "tap", "multi_queue", "vnet_hdr")
        try ip("link", "set", "mq0", "up")
        try mqctl("exec", "mq0", "--vhost", "off", "--", "true", exits: 2).expectOneError(saying: "mq0", "--pairs")
        try mqctl("args", "mq0", "--for", "qemu", exits: 2).expectOneError(saying: "mq0", "--pairs")
        try mqctl("exec", "mq0", "--pairs", "2", "--vhost", "off", "--", "true", exits: 0)
        try mqctl("verify", "mq0", "--pairs", "2", exits: 0)
        try mqctl("delete", "mq0", exits: 3).expectOneError(saying: "not made by mqctl")
        try mqctl("delete", "mq0", "--force", exits: 0)
      }
    }

    /// The first opener of a persistent tap rewrites its flags; whoever looks only at what it asked for misses it.
    @Test func aTapWhoseFlagsWereRewritten() async throws {
      try await FreshNamespace.run {
        let rewritings: [(flags: TapFlags, lacks: String, difference: String)] = [
          ([.tap, .noPacketInformation, .multiQueue], "vnet_hdr", "vnet_hdr is off, asked for on"),
          ([.tap, .vnetHeader, .multiQueue], "no_pi", "pi is on, asked for off"),
        ]
        for (flags, lacks, difference) in rewritings {
          try mqctl("create", "tap0", "--pairs", "2", exits: 0)
          try ShownDevice.idle("tap0")
          _ = try RawTap.queue("tap0", flags)
          let before = try ipDetails("tap0")
          try mqctl("create", "tap0", "--pairs", "2", exits: 3).expectOneError(saying: difference, "--replace")
          try mqctl("exec", "tap0", "--vhost", "off", "--", "true", exits: 3).expectOneError(saying: "tap0", lacks)
          try mqctl("verify", "tap0", exits: 3).expectOneError(saying: "tap0", lacks)
          #expect(try ipDetails("tap0") == before)
          // It is still ours: --replace and delete mend it.
          try mqctl("create", "tap0", "--pairs", "2", "--replace", exits: 0)
          try mqctl("exec", "tap0", "--vhost", "off", "--", "true", exits: 0)
          try mqctl("delete", "tap0", exits: 0)
        }
      }
    }

    /// IFF_MULTI_QUEUE itself cannot be rewritten: the kernel refuses an opener without it.
    @Test func multiQueueCannotBeRewritten() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let refusal = RawTap.refusal { _ = try RawTap.queue("tap0", [.tap, .noPacketInformation, .vnetHeader]) }
        #expect(refusal == .invalidArgument)
        try mqctl("exec", "tap0", "--vhost", "off", "--", "true", exits: 0)
      }
    }
  }
}
