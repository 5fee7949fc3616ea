import LinuxIOTesting
import Testing

/// The body of an exit test, in a network namespace of its own. What it throws is that test's issue: left to itself it
/// would end the process by a signal, and nobody would know why.
func inFreshNamespace(_ body: @Sendable () throws -> Void) async {
  do {
    try await FreshNamespace.run(body)
  } catch {
    Issue.record(error)
  }
}
