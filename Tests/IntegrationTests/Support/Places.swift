import Foundation
import Glibc
import LinuxIO
import Synchronization
import Testing

/// A folder for one test that every user may read, gone with it.
final class PublicFolder {
  let path: String

  init() throws {
    path = "/tmp/\(Unique.name("mqctl-test"))"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A copy of a file that every user may read and run: the original may lie in somebody's home.
  func copy(of original: String) throws -> String {
    let copy = "\(path)/\(URL(fileURLWithPath: original).lastPathComponent)"
    try FileManager.default.copyItem(
      at: URL(fileURLWithPath: original).resolvingSymlinksInPath(), to: URL(fileURLWithPath: copy))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: copy)
    return copy
  }
}

/// A network namespace with a name (ip-netns(8)), gone with the test.
final class NamedNamespace {
  let name: String

  init() throws {
    name = Unique.name("mqtest")
    try ip("netns", "add", name)
  }

  deinit { _ = try? Programs.run(["ip", "netns", "del", name]) }

  /// Runs a program in it.
  func run(_ words: String...) throws -> Outcome {
    try Programs.run(["ip", "netns", "exec", name] + words)
  }
}

/// Names that no other test, and no other run of the tests, uses.
enum Unique {
  private static let next = Atomic(0)

  static func name(_ prefix: String) -> String {
    "\(prefix)-\(ProcessControl.processID)-\(next.wrappingAdd(1, ordering: .relaxed).newValue)"
  }
}

/// `Name:` lines of /proc/PID/status.
func processStatus(_ process: Int) throws -> [String: String] {
  let text = try FileTree.text(of: "/proc/\(process)/status")
  var fields: [String: String] = [:]
  for line in text.split(separator: "\n") {
    guard let colon = line.firstIndex(of: ":") else { continue }
    fields[String(line[..<colon])] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
  }
  return fields
}

/// What each descriptor of a process is.
func openDescriptors(of process: Int) throws -> [Int: String] {
  var found: [Int: String] = [:]
  for entry in try FileTree.entries(of: "/proc/\(process)/fd") {
    if let number = Int(entry), let target = try? FileTree.linkTarget(of: "/proc/\(process)/fd/\(entry)") {
      found[number] = target
    }
  }
  return found
}
