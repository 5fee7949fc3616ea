import Foundation
import LinuxIOTesting
import Testing

/// A real QEMU that speaks vhost-user, without any privilege and without knowing of taps or vhost, on `mqctl serve` with
/// the kernel's vhost-net.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"),
  .enabled(if: FileManager.default.fileExists(atPath: "/dev/vhost-net"), "needs /dev/vhost-net: run it by lab/run"))
struct KernelHypervisorServeTests {
  private let two = ServeScenario(datapath: .kernel, pairs: 2, seconds: 300)
  private let one = ServeScenario(datapath: .kernel, pairs: 1, seconds: 300)

  @Test func aGuestsLife() async throws { try await FreshNamespace.run { [two] in try two.life() } }
  @Test func onePair() async throws { try await FreshNamespace.run { [one] in try one.boot() } }
  /// From vhost-net to threads and back to vhost-net, and from one vhost-net to another.
  @Test func aGuestMoves() async throws {
    try await FreshNamespace.run { [two] in try two.migration(through: [.kernel, .userspace, .kernel]) }
  }
}
