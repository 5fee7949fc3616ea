import Foundation
import LinuxIO
import LinuxIOTesting
import Orchestrator
import Testing

/// A real QEMU that speaks vhost-user, without any privilege and without knowing of taps or vhost, on `mqctl serve`.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"),
  .enabled(if: FileManager.default.fileExists(atPath: "/dev/vhost-net"), "needs /dev/vhost-net: run it by lab/run"))
struct KernelHypervisorServeTests {
  private static let seconds = 300

  @Test(arguments: [2, 1]) func everyPairOfAVhostUserGuest(_ pairs: Int) async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: pairs, seconds: Self.seconds)
      let served = try ServedTap(.kernel, pairs: pairs, "--user", "nobody")
      try ip("address", "add", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", "dev", "tap0")
      // Twice: the second guest finds the device as the first did.
      for _ in 0..<2 {
        let process = try RunningProcess(
          [
            Programs.python, "-I", "-c",
            "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execvp(sys.argv[1], sys.argv[1:])",
          ] + guest.words + [
            "-chardev", "socket,id=c0,path=\(served.socket)",
            "-netdev", "vhost-user,id=n0,chardev=c0,queues=\(pairs)",
            // QEMU 7.2 without KVM ends by a signal when a vhost-user device uses MSI-X.
            "-device", "virtio-net-pci,netdev=n0,mq=\(pairs > 1 ? "on" : "off"),vectors=0,mac=52:54:00:77:00:01",
          ])
        try GuestRun.check(process, pairs: pairs, seconds: Double(Self.seconds)) { process in
          let open = try openDescriptors(of: Int(process.processID)).values
          #expect(!open.contains("/dev/net/tun") && !open.contains("/dev/vhost-net"), "\(open)")
          #expect(Worker.all(of: served.pid).count == pairs)
          let device = try ShownDevice.named("tap0")
          #expect(device.attachedQueues == pairs, "\(device)")
          #expect(try GuestRun.pingGuest().code == 0)
        }
        try served.expectIdle()
      }
      let outcome = try served.end()
      #expect(!outcome.err.contains("refused"), "\(outcome)")
    }
  }
}
