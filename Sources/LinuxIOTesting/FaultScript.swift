internal import Synchronization
public import SystemPackage

/// Which calls of a run are to fail. It numbers every call that is made through ``ScriptedKernel`` and ``ScriptedLinks``
/// from 1 on, remembers their names, and fails those that it was told to.
///
/// One script serves both, so that the numbers are those of the whole run, and one run after the other.
public final class FaultScript: Sendable {
  private struct State {
    var calls: [String] = []
    var failing: ClosedRange<Int>?
    var errno = Errno.ioError
    var failedCalls: [String] = []
  }

  private let state = Mutex(State())

  /// A script that fails nothing until it is told.
  public init() {}

  /// Begins a run: the next call is number 1, and those of these numbers fail with `errno`. Nil lets all pass.
  public func begin(failing numbers: ClosedRange<Int>?, with errno: Errno = .ioError) {
    state.withLock { $0 = State(failing: numbers, errno: errno) }
  }

  /// The names of the calls of this run, in order, those that failed among them.
  public var calls: [String] { state.withLock { $0.calls } }

  /// The names of the calls that this script failed, in order.
  public var failedCalls: [String] { state.withLock { $0.failedCalls } }

  /// Counts a call; throws if it is one that fails.
  internal func enter(_ name: String) throws(Errno) {
    let failure: Errno? = state.withLock { state in
      state.calls.append(name)
      guard let failing = state.failing, failing.contains(state.calls.count) else { return nil }
      state.failedCalls.append(name)
      return state.errno
    }
    if let failure { throw failure }
  }
}
