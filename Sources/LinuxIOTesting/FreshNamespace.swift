internal import Glibc
internal import LinuxIO

/// A network namespace for one test: a thread of its own in it, which ends with the test.
///
/// The body runs inside the test's own task, so expectations that fail in it are that test's.
public enum FreshNamespace {
  /// Whether ``run(_:)`` can work here; a test that needs it is disabled aloud where not:
  /// `.enabled(if: FreshNamespace.isAvailable, FreshNamespace.requirement)`.
  public static var isAvailable: Bool { geteuid() == 0 }

  /// What is missing where ``isAvailable`` says no.
  public static let requirement: String = "needs root, for a network namespace of its own"

  /// Runs `body` on a new thread that has called unshare(CLONE_NEWNET). Needs root.
  ///
  /// A child that it starts is in the namespace too. Do not wait for one by Foundation's `Process.waitUntilExit` here: it
  /// runs the thread's run loop, which at times never hears of the end. waitpid(2), or a pipe's end of file, does.
  public static func run<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
    let thread = ThreadExecutor()
    defer { thread.finish() }
    return try await Resident(thread).run { () throws -> Value in
      try NetworkNamespace.enterNew()
      return try body()
    }
  }
}

/// Whoever lives on the thread: what is isolated to this actor runs there.
private actor Resident {
  private let thread: ThreadExecutor

  init(_ thread: ThreadExecutor) {
    self.thread = thread
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  func run<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try body() }
}
