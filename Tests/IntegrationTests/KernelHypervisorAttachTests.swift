import Foundation
import LinuxIOTesting
import Orchestrator
import Testing

/// `mqctl attach` and `detach` on a real QEMU and a kernel with vhost-net: by the tap's own queues with a worker a pair,
/// and by the socket of `mqctl serve`.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"),
  .enabled(if: FileManager.default.fileExists(atPath: "/dev/vhost-net"), "needs /dev/vhost-net: run it by lab/run"))
struct KernelHypervisorAttachTests {
  private static let seconds = 300.0

  @Test func everyPairOfATapAndThenOfItsBackEnd() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: 2, seconds: Int(Self.seconds), isPlugged: true)
      try mqctl(
        "create", "tap0", "--pairs", "2", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", exits: 0)
      let qemu = try BareQemu(guest)
      let detach = { (times: Int) in
        try mqctl("detach", "tap0", "--qmp", qemu.qmp, "--timeout", "120", exits: 0)
        try qemu.expectUnplugged(seconds: Self.seconds)
        #expect(try qemu.openQueues() == [0, 0])
      }

      try mqctl("attach", "tap0", "--qmp", qemu.qmp, "--vhost", "require", "--timeout", "120", exits: 0)
      try qemu.expectPlugged(pairs: 2, seconds: Self.seconds)
      #expect(try qemu.openQueues() == [2, 2])
      let holder = try #require(try ShownDevice.named("tap0").holders.first)
      #expect(holder.pid == qemu.pid && Set(holder.workers.map(\.thread)).count == 2, "\(holder)")
      try detach(1)
      #expect(Worker.all(of: qemu.pid).isEmpty)
      try ShownDevice.idle("tap0")

      // Through a socket in a folder that QEMU cannot enter, but may write to.
      let place = qemu.path("closed")
      try FileManager.default.createDirectory(
        atPath: place, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      let server = try startMqctl("serve", "tap0", "--socket", "\(place)/s", "--socket-mode", "666")
      try server.waitForErrors("pair(s) at")
      // QEMU 7.2 without KVM ends by a signal when a vhost-user device uses MSI-X.
      let words = [
        "attach", "tap0", "--qmp", qemu.qmp, "--vhost-user", "\(place)/s", "--device", "virtio-net-pci,vectors=0",
        "--timeout", "120",
      ]
      let attached = try Programs.run([Programs.mqctl] + words)
      #expect(attached.code == 0, "\(attached)")
      try qemu.expectPlugged(pairs: 2, seconds: Self.seconds)
      #expect(try qemu.openQueues() == [0, 0])
      #expect(Worker.all(of: Int(server.processID)).count == 2)
      #expect(try Programs.run([Programs.mqctl] + words).out.contains("already"))
      try detach(2)
      // A back end that has gone is said to have, and its device can be taken away.
      #expect(try Programs.run([Programs.mqctl] + words).code == 0)
      server.kill(15)
      #expect(try server.wait().code == 0)
      var gone = Outcome(code: 0, out: "", err: "")
      _ = try eventually {
        gone = try Programs.run([Programs.mqctl] + words)
        return gone.code != 0
      }
      #expect(gone.code == 3)
      gone.expectOneError(saying: "its back end has gone")
      try qemu.end(seconds: Self.seconds)
    }
  }
}
