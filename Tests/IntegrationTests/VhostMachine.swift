import Glibc
import LinuxIO
import SystemPackage
import VhostKernel

/// What this machine's vhost-net is to be like, by its kernel's release alone: what tests compare the answers with.
enum VhostMachine {
  /// Whether the tests of vhost-net can run here.
  static var isAvailable: Bool {
    geteuid() == 0 && (try? ProcessControl.mayReadAndWrite(VhostNet<LinuxKernel>.path)) != nil
  }

  /// What is missing where not.
  static let requirement = "needs root and /dev/vhost-net: lab/run gives both"

  /// Linux 6.4 made workers threads of their owner.
  static var nativeKind: WorkerKind { release >= (6, 4) ? .task : .kthread }

  /// Linux 6.18 lets the owner choose.
  static var hasChoice: Bool { release >= (6, 18) }

  private static var release: (Int, Int) {
    let text = (try? FileTree.text(of: "/proc/sys/kernel/osrelease")) ?? ""
    let numbers = text.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1]) : (0, 0)
  }
}
