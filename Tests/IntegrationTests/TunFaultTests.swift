import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing

/// Each call of each operation failed in turn, on real taps: no descriptor and no link is left, and the error names the
/// call. Each in a process of its own, so that its descriptors are its own.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunFaultTests {
  @Test func createPlain() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.createPlain) }
  }

  @Test func createWithEveryOption() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.createWithEveryOption) }
  }

  @Test func createWithBackpressure() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.createWithBackpressure) }
  }

  @Test func createWhatIsThere() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.createWhatIsThere) }
  }

  @Test func replace() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.replace) }
  }

  @Test func replaceWhereNothingWorksAnyMore() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.replaceLasting) }
  }

  @Test func replaceAnotherProgramsTap() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.replaceForeign) }
  }

  @Test func change() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.change) }
  }

  @Test func deleteMany() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.deleteMany) }
  }

  @Test func delete() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.delete) }
  }

  @Test func open() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.open) }
  }

  @Test func openEphemeral() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.openEphemeral) }
  }

  @Test func vhostNodeMissing() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(TapFaults.vhostNodeMissing) }
  }

  @Test func verify() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VerificationFaults.taps) }
  }

  @Test func twoHundredRoundsLeaveNothing() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace { try TapFaults.rounds(200) } }
  }
}
