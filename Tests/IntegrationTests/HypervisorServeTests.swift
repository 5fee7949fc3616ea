import LinuxIOTesting
import Testing

/// Likewise (``KernelHypervisorServeTests``) on threads of the serving process, on this machine.
@Suite(
  .serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"),
  .enabled(if: GuestRun.isAvailable, "\(GuestRun.requirement)"))
struct HypervisorServeTests {
  private let four = ServeScenario(datapath: .userspace, pairs: 4, seconds: 120)
  private let one = ServeScenario(datapath: .userspace, pairs: 1, seconds: 120)

  @Test func aGuestsLife() async throws { try await FreshNamespace.run { [four] in try four.life() } }
  @Test func onePair() async throws { try await FreshNamespace.run { [one] in try one.boot() } }
  @Test func aGuestMoves() async throws {
    try await FreshNamespace.run { [four] in try four.migration(through: [.userspace, .userspace]) }
  }
}
