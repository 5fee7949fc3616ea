import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing

/// Runs an operation again and again, each time with the next of its calls failed, on the real kernel; and checks after
/// each that nothing is left and that the error names the call.
///
/// To be used in a process and a network namespace of its own.
struct FaultSweep: ~Copyable {
  typealias Kernel = ScriptedKernel<LinuxKernel>
  typealias Tools = Provisioner<Kernel, ScriptedLinks<LinkSession>>

  /// A call that was failed.
  struct Fault: CustomStringConvertible {
    /// Its number in the run, from 1.
    let number: Int
    /// Its name, as ``ScriptedKernel`` has it.
    let call: String
    /// What it failed with.
    let errno: Errno

    var description: String { "call \(number), \(call), failed with '\(errno)'" }
  }

  /// What an operation fails with where it reports instead of throwing.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// What each sweep fails calls with: one that says what is lacking, and one that says nothing at all.
  static let errnos: [Errno] = [.noMemory, .interrupted]

  let script = FaultScript()
  let kernel: Kernel
  let tools: Tools
  /// A session that no script touches.
  let links: LinkSession

  init() throws {
    let scripted = try LinkSession()
    let links = try LinkSession()
    self.links = links
    kernel = ScriptedKernel(LinuxKernel(), script: script)
    tools = Provisioner(kernel: kernel, links: ScriptedLinks(scripted, script: script))
  }

  /// The sweep.
  ///
  /// - Parameters:
  ///   - errnos: what calls fail with, one sweep each.
  ///   - lasting: whether from call n on all fail, instead of call n alone.
  ///   - prepare: makes the state that the operation starts from.
  ///   - tolerates: why the operation may succeed though that call failed; nil where it may not.
  ///   - undo: removes what the operation made, where it succeeded.
  ///   - leaves: whether links may differ after that failure, which is then `verify`'s to judge.
  ///   - verify: further checks after a failure.
  ///   - operation: what is swept.
  /// - Returns: the names of the calls of a run without a fault.
  @discardableResult
  func run(
    errnos: [Errno] = errnos, lasting: Bool = false,
    prepare: (borrowing LinkSession) throws -> Void = { _ in },
    tolerates: (Fault) -> String? = { _ in nil },
    undo: (borrowing LinkSession) throws -> Void = { _ in },
    verify: (Fault, any Error) throws -> Void = { _, _ in },
    _ operation: (borrowing Tools) throws -> Void
  ) throws -> [String] {
    // The first run also opens whatever the process opens once and keeps.
    try prepare(links)
    script.begin(failing: nil)
    try operation(tools)
    let calls = script.calls
    try undo(links)
    for errno in errnos {
      // A run may poll and read more often than another: it ends where no call n comes any more.
      for number in 1...10 * calls.count {
        script.begin(failing: nil)
        try prepare(links)
        let before = try Footprint(links)
        script.begin(failing: number...(lasting ? Int.max : number), with: errno)
        var failure: (any Error)?
        do {
          try operation(tools)
        } catch {
          failure = error
        }
        let failed = script.failedCalls.first
        script.begin(failing: nil)
        guard let failed else {
          #expect(failure == nil, "a run without a fault")
          #expect(number > calls.count / 2, "\(calls)")
          try undo(links)
          break
        }
        let fault = Fault(number: number, call: failed, errno: errno)
        if let failure {
          #expect("\(failure)".contains(failed), "\(fault): the error is '\(failure)'")
          #expect(tolerates(fault) == nil, "\(fault) is tolerated, and yet: \(failure)")
          try verify(fault, failure)
        } else {
          #expect(tolerates(fault) != nil, "\(fault) went unnoticed")
          try undo(links)
        }
        try before.expectUnchanged(links, after: "\(fault)")
      }
    }
    return calls
  }
}
