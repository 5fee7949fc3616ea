import Glibc
import LinuxIO
import LinuxIOTesting
import Testing

extension TunTests {
  /// The examples, as far as they go without a hypervisor.
  @Suite struct Example {
    @Test func theLauncherTakesItsDescriptorsByName() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        let launcher = try folder.copy(of: "\(Programs.root)/examples/launcher.py")
        try mqctl("create", "tap0", "--pairs", "3", exits: 0)
        let words = ["exec", "tap0", "--vhost", "off", "--user", "nobody", "--", Programs.python, launcher]
        let checked = try Programs.run([Programs.mqctl] + words + ["--check"])
        #expect(checked.code == 0, "\(checked)")
        #expect(
          checked.out == (0..<3).map { "tap-\($0) descriptor \($0 + 3): tap0 0x5902\n" }.joined(), "\(checked)")
        // What it starts.
        let show = "import os, sys; print(*sys.argv[1:]); print('LISTEN_FDS' in os.environ)"
        let started = try Programs.run([Programs.mqctl] + words + [Programs.python, "-c", show])
        let mac = try #require(try ShownDevice.named("tap0").guestMAC)
        #expect(
          started.out
            == "-netdev tap,id=net0,fds=3:4:5,vhost=off -device virtio-net-pci,netdev=net0,mac=\(mac),mq=on,vectors=8"
            + "\nFalse\n", "\(started)")
      }
    }

    @Test func theLauncherTakesNoOthersDescriptors() throws {
      let launcher = "\(Programs.root)/examples/launcher.py"
      let none = try Programs.run([Programs.python, launcher, "--check"])
      #expect(none.code == 1 && none.err.contains("mqctl exec"), "\(none)")
      let others = try Programs.run(
        [Programs.python, launcher, "--check"],
        environment: ["LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "tap-0", "MQCTL_PAIRS": "1"])
      #expect(others.code == 1 && others.err.contains("mqctl exec"), "\(others)")
    }

    @Test func theScriptMakesTheTapOnce() async throws {
      try await FreshNamespace.run {
        let script = "\(Programs.root)/examples/qemu"
        var environment = ["MQCTL": Programs.mqctl, "PAIRS": "2", "VHOST": "off", "QEMU": "echo"]
        for said in ["tap0: created with 2 queue pair(s)\n", "tap0: already so\n"] {
          let outcome = try Programs.run([script, "-m", "1G"], environment: environment)
          let mac = try #require(try ShownDevice.named("tap0").guestMAC)
          #expect(
            outcome.out == "-m 1G -netdev tap,id=tap0,fds=3:4,vhost=off "
              + "-device virtio-net-pci,netdev=tap0,mac=\(mac),mq=on,vectors=6\n", "\(outcome)")
          #expect(outcome.code == 0 && outcome.err == said)
        }
        #expect(try ShownDevice.named("tap0").addresses == ["192.0.2.1/24"])
        environment["PAIRS"] = "4"
        #expect(try Programs.run([script, "-m", "1G"], environment: environment).code == 3)
        let help = try Programs.run([script], environment: environment)
        #expect(help.code == 2 && help.err.contains("sudo examples/qemu") && !help.err.contains("set -euo"), "\(help)")
      }
    }
  }
}
