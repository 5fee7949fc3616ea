import LinuxIO
import Orchestrator
import SystemPackage
import TapMQ
import Testing

/// What a process has of the kernel: its open descriptors, the links of a namespace, its vhost workers. Two of them tell
/// what was left in between.
///
/// Descriptors are the whole process's: only in a process of its own (an exit test) does nothing else change them.
struct Footprint: Equatable, Sendable {
  /// What each open descriptor's number stands for, as /proc has it.
  let descriptors: [String: String]
  /// The links' names, sorted.
  let links: [String]
  /// The vhost workers of this process.
  let workers: Set<Worker>

  /// Looks now.
  init(_ session: borrowing LinkSession) throws {
    descriptors = try Self.descriptors()
    links = try session.links().map(\.name).sorted()
    workers = Worker.all(of: ProcessControl.processID)
  }

  /// Checks that what is there now is what was there before. It may take a moment: a worker's thread ends after its device
  /// has let go of it, and a program that reads /proc may hold a closed descriptor's file that long.
  func expectUnchanged(
    _ session: borrowing LinkSession, after what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var now = try Footprint(session)
    for _ in 0..<500 where now != self {
      _ = try LinuxKernel().poll([], milliseconds: 10)
      now = try Footprint(session)
    }
    #expect(now.descriptors == descriptors, "descriptors after \(what())", sourceLocation: sourceLocation)
    #expect(now.links == links, "links after \(what())", sourceLocation: sourceLocation)
    #expect(now.workers == workers, "vhost workers after \(what())", sourceLocation: sourceLocation)
  }

  static func descriptors() throws -> [String: String] {
    var found: [String: String] = [:]
    for number in try FileTree.entries(of: "/proc/self/fd") {
      // The folder's own is closed by now.
      if let target = try? FileTree.linkTarget(of: "/proc/self/fd/\(number)") { found[number] = target }
    }
    return found
  }
}
