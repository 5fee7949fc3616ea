import Foundation
import LinuxIO
import LinuxIOTesting
import Testing

/// A real QEMU with a real guest on a kernel with vhost-net: every queue pair has a worker of its own.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"),
  .enabled(if: FileManager.default.fileExists(atPath: "/dev/vhost-net"), "needs /dev/vhost-net: run it by lab/run"))
struct KernelHypervisorTests {
  private static let pairs = 2
  private static let seconds = 300

  private static func checkFromOutside(_ process: RunningProcess, kind: String? = nil) throws {
    let pid = Int(process.processID)
    let device = try ShownDevice.named("tap0")
    #expect(device.attachedQueues == pairs && device.detachedQueues == 0 && device.carrier)
    let holder = try #require(device.holders.first)
    #expect(device.holders.count == 1 && holder.pid == pid && holder.attachedQueues == pairs)
    #expect(holder.vhostDescriptors == pairs)
    #expect(Set(holder.workers.map(\.thread)).count == pairs, "\(holder.workers)")
    for worker in holder.workers {
      if let kind { #expect(worker.kind == kind) }
      // A thread of QEMU's, or one of the kernel's own.
      let folder = worker.kind == "task" ? "/proc/\(pid)/task/\(worker.thread)" : "/proc/\(worker.thread)"
      #expect(try FileTree.text(of: "\(folder)/comm") == "vhost-\(pid)")
    }
    try GuestRun.expectNoPrivilege(pid)
    #expect(try GuestRun.descriptors(of: pid, named: "/dev/net/tun") == Array(3..<3 + pairs))
    #expect(try GuestRun.descriptors(of: pid, named: "/dev/vhost-net") == Array(3 + pairs..<3 + 2 * pairs))
    let text = try mqctl("show", "tap0", exits: 0).out
    #expect(text.components(separatedBy: "worker ").count == pairs + 1, "\(text)")
  }

  private static func run(_ options: [String], kind: String? = nil) async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: pairs, seconds: seconds)
      try mqctl(
        "create", "tap0", "--pairs", "\(pairs)", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", exits: 0)
      let exec = ["exec", "tap0", "--vhost", "require", "--user", "nobody"] + options + ["--"]
      let process = try RunningProcess(
        [Programs.mqctl] + exec + guest.words + ["-netdev", "{netdev}", "-device", "{device}"])
      try GuestRun.check(
        process, pairs: pairs, seconds: Double(seconds),
        whileItHolds: {
          try checkFromOutside($0, kind: kind)
        })
      try ShownDevice.idle("tap0")
    }
  }

  @Test func everyPairHasItsWorker() async throws {
    try await Self.run([])
  }

  /// Proved first, and with the older kind of worker: the choice holds for QEMU, which knows nothing of it.
  @Test func afterAVerificationAndWithKernelThreads() async throws {
    try await Self.run(["--verify", "--worker", "kthread"], kind: "kthread")
  }

  @Test func theExampleLauncher() async throws {
    try await FreshNamespace.run {
      let guest = try GuestRun(pairs: Self.pairs, seconds: Self.seconds)
      let launcher = try guest.publish("examples/launcher.py")
      try mqctl(
        "create", "tap0", "--pairs", "\(Self.pairs)", "--address", "\(GuestRun.hostAddress)/\(GuestRun.prefix)",
        exits: 0)
      let exec = ["exec", "tap0", "--vhost", "require", "--user", "nobody", "--", Programs.python, launcher]
      let process = try RunningProcess([Programs.mqctl] + exec + guest.words)
      try GuestRun.check(
        process, pairs: Self.pairs, seconds: Double(Self.seconds),
        whileItHolds: {
          try Self.checkFromOutside($0)
        })
    }
  }
}
