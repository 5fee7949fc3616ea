import LinuxIOTesting
import Testing

/// Each call of what opens and runs vhost devices failed in turn, on the real driver: no descriptor, no worker and no
/// ownership is left, and the error names the call.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostFaultTests {
  @Test func openRequiringVhost() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostFaults.openRequiring) }
  }

  @Test func openWithWhatThereIs() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostFaults.openAuto) }
  }

  @Test func openWithAChosenWorker() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostFaults.openChoosing) }
  }

  @Test func verify() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VerificationFaults.vhost) }
  }

  @Test func twentyRoundsLeaveNothing() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace { try TapFaults.rounds(20) } }
  }
}
