import LinuxIO
import LinuxIOTesting
import Testing

/// A real QEMU with a real guest on this machine, taps alone: every queue pair carries its packets.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"))
struct HypervisorTests {
  private static let pairs = 4
  private static let seconds = 120

  /// What is seen from outside while the guest holds.
  private static func checkFromOutside(_ process: RunningProcess) throws {
    let pid = Int(process.processID)
    let device = try ShownDevice.named("tap0")
    #expect(device.attachedQueues == pairs && device.detachedQueues == 0 && device.carrier)
    #expect(device.holders.map(\.pid) == [pid])
    #expect(device.holders.map(\.attachedQueues) == [pairs])
    #expect(device.holders.map(\.vhostDescriptors) == [0])
    try GuestRun.expectNoPrivilege(pid)
    #expect(try GuestRun.descriptors(of: pid, named: "/dev/net/tun") == Array(3..<3 + pairs))
    let ready = GuestRun.lines(process.outText).first { $0.word == "ready" }
    #expect(ready?.values["mac"] == device.guestMAC)
    // The other way: the host asks, the guest answers.
    let ping = try GuestRun.pingGuest()
    #expect(ping.code == 0, "\(ping)")
  }

  @Test func everyPairOfAGuestWorks() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: Self.pairs, seconds: Self.seconds)
      try mqctl(
        "create", "tap0", "--pairs", "\(Self.pairs)", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)",
        exits: 0)
      let exec = ["exec", "tap0", "--vhost", "off", "--verify", "--user", "nobody", "--"]
      let process = try RunningProcess(
        [Programs.mqctl] + exec + guest.words + ["-netdev", "{netdev}", "-device", "{device}"])
      try GuestRun.check(process, pairs: Self.pairs, seconds: Double(Self.seconds), whileItHolds: Self.checkFromOutside)
      try ShownDevice.idle("tap0")
    }
  }

  @Test func theExampleScript() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: Self.pairs, seconds: Self.seconds)
      let environment = [
        "MQCTL": Programs.mqctl, "QEMU": guest.words[0], "PAIRS": "\(Self.pairs)", "VHOST": "off",
        "ADDRESS": "\(GuestRun.hostAddress)/\(GuestRun.prefix)",
      ]
      let process = try RunningProcess(
        ["\(Programs.root)/examples/qemu"] + guest.words.dropFirst(), environment: environment)
      try GuestRun.check(process, pairs: Self.pairs, seconds: Double(Self.seconds), whileItHolds: Self.checkFromOutside)
    }
  }

  @Test func theExampleLauncher() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: Self.pairs, seconds: Self.seconds)
      let launcher = try guest.publish("examples/launcher.py")
      try mqctl(
        "create", "tap0", "--pairs", "\(Self.pairs)", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)",
        exits: 0)
      let exec = ["exec", "tap0", "--vhost", "off", "--user", "nobody", "--", Programs.python, launcher]
      let process = try RunningProcess([Programs.mqctl] + exec + guest.words)
      try GuestRun.check(process, pairs: Self.pairs, seconds: Double(Self.seconds), whileItHolds: Self.checkFromOutside)
    }
  }
}
