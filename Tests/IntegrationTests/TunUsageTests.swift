import LinuxIOTesting
import Testing

extension TunTests {
  /// Help, and words that mean nothing.
  @Suite struct Usage {
    /// Every command's options, as the man page has them.
    private static let options: [(command: String, options: [String])] = [
      (
        "create",
        [
          "<name>", "--pairs", "--owner", "--group", "--mac", "--mtu", "--bridge", "--address", "--down", "--qdisc",
          "--backpressure", "--netns", "--replace",
        ]
      ), ("delete", ["<names>", "--force", "--netns"]), ("list", ["--netns"]), ("show", ["<name>", "--netns"]),
      (
        "exec",
        [
          "<name>", "--pairs", "--vhost", "--verify", "--worker", "--user", "--keep-caps", "--ephemeral", "--netns",
          "{netdev}", "{device}", "{tap-fds}", "{vhost-fds}", "{mac}", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
          "MQCTL_TAP_FDS",
        ]
      ), ("args", ["<name>", "--for", "--pairs", "--netns", "qemu", "cloud-hypervisor", "crosvm", "libvirt"]),
      ("verify", ["<name>", "--ephemeral", "--pairs", "--frames", "--vhost", "--netns"]),
      ("bench", ["--pairs", "--size", "--direction", "--seconds", "--through", "--chart"]), ("doctor", ["--pairs"]),
    ]

    @Test func everyCommandHasHelp() throws {
      for (command, options) in Self.options {
        for words in [[command, "--help"], ["help", command], [command, "-h"]] {
          let outcome = try Programs.run([Programs.mqctl] + words)
          #expect(outcome.code == 0 && outcome.err.isEmpty, "\(words): \(outcome)")
          for option in options + ["--json", "USAGE: mqctl \(command)", "OVERVIEW:"] {
            #expect(outcome.out.contains(option), "\(command) --help has no \(option)")
          }
        }
      }
    }

    @Test func theRootNamesItsCommands() throws {
      for words in [["--help"], ["help"], []] {
        let outcome = try Programs.run([Programs.mqctl] + words)
        #expect(outcome.code == 0, "\(outcome)")
        for (command, _) in Self.options { #expect(outcome.out.contains("  \(command) "), "no \(command)") }
        #expect(outcome.out.contains("Exit codes: 0"))
      }
      #expect(try mqctl("--version", exits: 0).out.split(separator: ".").count == 3)
    }

    @Test(arguments: [
      ["nonsense"], ["--nonsense"], ["create"], ["create", "tap0"], ["create", "tap0", "--pairs"],
      ["create", "--pairs", "2"],
      ["create", "tap0", "tap1", "--pairs", "2"], ["create", "", "--pairs", "2"],
      ["create", "a-name-of-17-byte", "--pairs", "2"],
      ["create", "..", "--pairs", "2"], ["create", "tap%d", "--pairs", "2"], ["delete"], ["list", "tap0"], ["show"],
      ["show", "a b"], ["exec"], ["exec", "tap0"], ["args", "tap0"], ["verify"], ["doctor", "--pairs", "0"],
      ["create", "tap0", "--pairs", "2", "--owner"],
    ])
    func badUsageIsOneLine(words: [String]) throws {
      let outcome = try Programs.run([Programs.mqctl] + words)
      #expect(outcome.code == 2, "\(words): \(outcome)")
      outcome.expectOneError(saying: "--help")
    }

    @Test func aFullDisk() throws {
      let outcome = try Programs.run(["sh", "-c", "\"$0\" list >/dev/full", Programs.mqctl])
      #expect(outcome.code == 1, "\(outcome)")
      outcome.expectOneError(saying: "standard output", "No space left")
    }

    /// A reader that has gone away is no error.
    @Test func aClosedPipe() throws {
      let outcome = try Programs.run(["bash", "-c", "\"$0\" --help | true; echo ${PIPESTATUS[0]}", Programs.mqctl])
      #expect(["0\n", "141\n"].contains(outcome.out), "\(outcome)")
    }
  }
}
