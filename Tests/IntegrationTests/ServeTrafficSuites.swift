import LinuxIOTesting
import Testing

/// What a front end may do while frames move, and what a hostile one may try, on the kernel's vhost-net.
@Suite(.serialized, .enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostServeTrafficTests {
  private let serve = ServeChecks(datapath: .kernel)

  @Test(arguments: [1, 2, 8, 16]) func pairsComeAndGo(_ pairs: Int) async throws {
    try await serve.pairsComeAndGo(pairs)
  }
  @Test(arguments: [2, 8]) func memoryChanges(_ pairs: Int) async throws { try await serve.memoryChanges(pairs) }
  @Test func theLogCoversWhatIsWritten() async throws { try await serve.theLogCoversWhatIsWritten() }
  @Test func aKilledFrontEndLeavesNothing() async throws { try await serve.aKilledFrontEndLeavesNothing() }
  @Test func generatedConversations() async throws { try await serve.generatedConversations() }
  @Test func memoryTables() async throws { try await serve.memoryTables() }
  @Test func outOfOrder() async throws { try await serve.outOfOrder() }
  @Test func memoryThatIsTakenAway() async throws { try await serve.memoryThatIsTakenAway() }
  @Test func nonsenseInTheRings() async throws { try await serve.nonsenseInTheRings() }
}

/// On threads of the serving process.
@Suite(.serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunServeTrafficTests {
  private let serve = ServeChecks(datapath: .userspace)

  @Test(arguments: [1, 2, 8, 16]) func pairsComeAndGo(_ pairs: Int) async throws {
    try await serve.pairsComeAndGo(pairs)
  }
  @Test(arguments: [2, 8]) func memoryChanges(_ pairs: Int) async throws { try await serve.memoryChanges(pairs) }
  @Test func theLogCoversWhatIsWritten() async throws { try await serve.theLogCoversWhatIsWritten() }
  @Test func aKilledFrontEndLeavesNothing() async throws { try await serve.aKilledFrontEndLeavesNothing() }
  @Test func generatedConversations() async throws { try await serve.generatedConversations() }
  @Test func memoryTables() async throws { try await serve.memoryTables() }
  @Test func outOfOrder() async throws { try await serve.outOfOrder() }
  @Test func memoryThatIsTakenAway() async throws { try await serve.memoryThatIsTakenAway() }
  @Test func nonsenseInTheRings() async throws { try await serve.nonsenseInTheRings() }
}
