import Foundation
import LinuxIO
import LinuxIOTesting
import Testing

/// `mqctl attach` and `detach` on a real QEMU that was started without a network and without any right, taps alone.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"))
struct HypervisorAttachTests {
  private static let seconds = 180.0

  @Test func everyPairOfATapThatWasPluggedIn() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: 4, seconds: Int(Self.seconds), isPlugged: true)
      try mqctl(
        "create", "tap0", "--pairs", "4", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", exits: 0)
      let qemu = try BareQemu(guest)
      // The second time finds all as the first did.
      for _ in 0..<2 {
        try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", exits: 0)
        try qemu.expectPlugged(pairs: 4, seconds: Self.seconds)
        let device = try ShownDevice.named("tap0")
        #expect(device.attachedQueues == 4 && device.carrier && device.holders.map(\.pid) == [qemu.pid])
        #expect(try qemu.openQueues() == [4, 0])
        #expect(try GuestRun.pingGuest().code == 0)
        try Self.checkWhileAttached(qemu)
        let detached = try mqctl("detach", "tap0", "--qmp", qemu.qmp, "--json", exits: 0)
        #expect(detached.out.contains(#""outcome":"detached""#), "\(detached)")
        try qemu.expectUnplugged(seconds: Self.seconds)
        try ShownDevice.idle("tap0")
        #expect(try qemu.openQueues() == [0, 0])
      }
      #expect(try mqctl("detach", "tap0", "--qmp", qemu.qmp, exits: 0).out.contains("was not attached"))
      try qemu.end(seconds: Self.seconds)
    }
  }

  /// The same words change nothing, and others are refused.
  private static func checkWhileAttached(_ qemu: BareQemu) throws {
    let again = try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", "--json", exits: 0)
    #expect(again.out.contains(#""outcome":"unchanged""#), "\(again)")
    try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--id", "other", exits: 3).expectOneError(saying: "'tap0'")
    try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--pairs", "2", exits: 3).expectOneError(saying: "4 pair(s)", "2")
    try mqctl("detach", "tap0", "--qmp", qemu.qmp, "--id", "other", exits: 3).expectOneError(saying: "'tap0'")
    #expect(try qemu.openQueues() == [4, 0])
  }

  /// What QEMU refuses is undone, and said in its own words.
  @Test func whatQemuRefuses() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let qemu = try BareQemu.stopped("-device", "virtio-rng-pci,id=rng0")
      func attach(_ words: String...) throws -> Outcome {
        let outcome = try Programs.run(
          [Programs.mqctl, "attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", "--timeout", "30"] + words)
        #expect(try qemu.openQueues() == [0, 0], "\(outcome)")
        try ShownDevice.idle("tap0")
        return outcome
      }
      let busless = try attach("--device", "virtio-net-pci,bus=pcie.0")
      #expect(busless.code == 1)
      busless.expectOneError(saying: "device_add tap0", "'pcie.0' does not support hotplugging", "undone", "root-port")
      try attach("--device", "virtio-net-pci,quux=1").expectOneError(saying: "quux", "not found", "undone")
      try attach("--device", "quux").expectOneError(saying: "device-list-properties quux", "not found")
      try attach("--device", "e1000e").expectOneError(saying: "no property mq")
      let taken = try attach("--id", "rng0")
      #expect(taken.code == 3)
      taken.expectOneError(saying: "'rng0'", "virtio-rng-pci")
      let served = try attach("--vhost-user", "/nowhere")
      #expect(served.code == 2, "\(served)")
      // After all that, it works; and where no guest lets a device go, it stays.
      try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", exits: 0)
      #expect(try qemu.openQueues() == [2, 0])
      try mqctl("detach", "tap0", "--qmp", qemu.qmp, "--timeout", "1", exits: 1)
        .expectOneError(saying: "the guest has not let device 'tap0' go in 1 s")
      #expect(try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", exits: 0).out.contains("already"))
      #expect(try qemu.openQueues() == [2, 0])
      // A tap of the same name that came later is another.
      try mqctl("delete", "tap0", "--force", exits: 0)
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      try mqctl("attach", "tap0", "--qmp", qemu.qmp, exits: 3).expectOneError(saying: "earlier tap")
    }
  }

  /// Memory that a back end could not map is named, with the mend.
  @Test func memoryThatIsNotShared() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let machines: [(words: [String], says: String)] = [
        ([], "share=off"),
        (
          ["-object", "memory-backend-memfd,id=m,size=64M,share=off", "-machine", "memory-backend=m"],
          "memory 'm' has share=off"
        ),
        (
          ["-object", "memory-backend-ram,id=m,size=64M,share=on", "-machine", "memory-backend=m"],
          "memory 'm' is a memory-backend-ram"
        ),
      ]
      for machine in machines {
        let qemu = try BareQemu.stopped(more: machine.words)
        let outcome = try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost-user", "/nowhere", exits: 3)
        outcome.expectOneError(saying: machine.says, "memory-backend-memfd,id=mem,size=SIZE,share=on")
      }
      let qemu = try BareQemu.stopped(
        "-object", "memory-backend-memfd,id=m,size=64M,share=on", "-machine", "memory-backend=m")
      try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost-user", "/nowhere", exits: 1)
        .expectOneError(saying: "/nowhere", "mqctl serve")
    }
  }

  /// mqctl killed between any two messages that change something: the next one mends it.
  @Test func killedAtAnyMessage() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let qemu = try BareQemu.stopped()
      let places = [("getfd", 1), ("getfd", 2), ("netdev_add", 1), ("device_add", 1)].flatMap { message, number in
        [(message, number, "before"), (message, number, "after")]
      }
      var hasLeft = false
      for (message, number, when) in places {
        let what = "\(when) \(message) \(number)"
        let proxy = try QmpProxy(
          at: qemu.path("proxy"), before: qemu, message: message, number: number, when: when, action: .hold)
        let mqctl = try startMqctl("attach", "tap0", "--qmp", proxy.socket, "--vhost", "off", "--timeout", "60")
        try proxy.process.waitForOutput("PROXY stopped")
        mqctl.kill()
        #expect(try mqctl.wait().code == 128 + 9)
        #expect(
          mqctl.errText.contains("removed what an earlier attach had left") == hasLeft, "\(what): \(mqctl.errText)")
        #expect(try proxy.hasStopped(), "\(what)")
        hasLeft = try qemu.openQueues() != [0, 0]
        #expect(hasLeft || what == "before getfd 1", "\(what)")
      }
      // The last one was done, and nobody had heard of it.
      #expect(try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", exits: 0).out.contains("already"))
      #expect(try qemu.openQueues() == [2, 0])
      #expect(try ShownDevice.named("tap0").holders.map(\.pid) == [qemu.pid])
    }
  }

  /// QEMU killed between any two messages: one line, and nothing left.
  @Test func qemuKilledAtAnyMessage() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      var number = 1
      while true {
        let qemu = try BareQemu.stopped()
        let proxy = try QmpProxy(
          at: qemu.path("proxy"), before: qemu, message: "*", number: number,
          when: number.isMultiple(of: 2) ? "before" : "after", action: .kill(qemu.pid))
        let outcome = try mqctl("attach", "tap0", "--qmp", proxy.socket, "--vhost", "off", "--timeout", "60")
        guard try proxy.hasStopped() else {
          #expect(outcome.code == 0, "\(outcome)")
          break
        }
        #expect(outcome.code == 1, "\(outcome)")
        outcome.expectOneError(saying: "ended the connection")
        _ = try qemu.process.wait()
        try ShownDevice.idle("tap0")
        number += 1
      }
      // More than the two descriptors, the netdev and the device.
      #expect(number > 8)
    }
  }

  /// QEMU serves one connection of a socket at a time; two mqctl that come over two sockets wait for each other as well.
  @Test func twoAtOnce() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let place = try PublicFolder()
      try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: place.path)
      let qemu = try BareQemu.stopped("-qmp", "unix:\(place.path)/qmp,server=on,wait=off")
      let other = try UnixStream.connect(to: qemu.qmp)
      try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--timeout", "1", exits: 1)
        .expectOneError(saying: "the greeting", "1 s", "one connection")
      // One over the same socket, one over another of the same QEMU.
      let first = try startMqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", "--timeout", "60")
      let second = try startMqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "off", "--timeout", "60")
      let third = try startMqctl("attach", "tap0", "--qmp", "\(place.path)/qmp", "--vhost", "off", "--timeout", "60")
      try other.close()
      let outcomes = try [first.wait(), second.wait(), third.wait()]
      #expect(outcomes.map(\.code) == [0, 0, 0], "\(outcomes)")
      #expect(outcomes.count { $0.out.contains("already") } == 2, "\(outcomes)")
      #expect(try qemu.openQueues() == [2, 0])
    }
  }
}
