import Foundation
import Glibc
import LinuxIO
import LinuxIOTesting
import Testing

typealias Outcome = RunningProcess.Outcome

/// The programs that tests run.
enum Programs {
  /// The project's folder.
  static let root: String = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.path
  }()

  /// The command under test: MQCTL_BINARY, else the newest build of this package.
  static let mqctl: String = {
    if let path = ProcessControl.environment("MQCTL_BINARY"), !path.isEmpty { return path }
    let release = "\(root)/.build/bin/mqctl"
    return FileManager.default.isExecutableFile(atPath: release) ? release : "\(root)/.build/debug/mqctl"
  }()

  /// Debian's own: another python3 in PATH may be out of reach of other users.
  static let python = "/usr/bin/python3"

  /// nobody: a user without any right.
  static let nobody: UInt32 = 65534

  /// Runs a program to its end.
  static func run(
    _ words: [String], environment: [String: String] = [:], seconds: Double = 60
  ) throws -> Outcome {
    try RunningProcess(words, environment: environment).wait(seconds: seconds)
  }
}

/// Runs `mqctl` as a user would.
func mqctl(_ words: String..., seconds: Double = 60) throws -> Outcome {
  try Programs.run([Programs.mqctl] + words, seconds: seconds)
}

/// Runs `mqctl`, which must exit with `code`.
@discardableResult
func mqctl(
  _ words: String..., exits code: CInt, at location: SourceLocation = #_sourceLocation
) throws -> Outcome {
  let outcome = try Programs.run([Programs.mqctl] + words)
  #expect(outcome.code == code, "mqctl \(words.joined(separator: " ")): \(outcome)", sourceLocation: location)
  return outcome
}

/// Starts `mqctl` and lets it run.
func startMqctl(_ words: String...) throws -> RunningProcess {
  try RunningProcess([Programs.mqctl] + words)
}

/// Runs ip(8), which must succeed. Returns what it printed.
@discardableResult
func ip(_ words: String..., at location: SourceLocation = #_sourceLocation) throws -> String {
  let outcome = try Programs.run(["ip"] + words)
  #expect(outcome.code == 0, "ip \(words.joined(separator: " ")): \(outcome)", sourceLocation: location)
  return outcome.out
}

/// What ip(8) says of a link, once the kernel has made up its mind about its state; empty if there is none.
func ipDetails(_ name: String) throws -> String {
  // linkwatch_event() follows a change of carrier up to a second later.
  var last = ""
  _ = try eventually(seconds: 5) {
    last = try Programs.run(["ip", "-d", "-j", "link", "show", "dev", name]).out
    return !last.contains(#""operstate":"UNKNOWN""#) && !last.contains(#""operstate":"UP""#)
  }
  return last
}

/// The names of all links of the namespace.
func linkNames() throws -> [String] {
  struct Link: Decodable { let ifname: String }
  return try JSONDecoder().decode([Link].self, from: Data(ip("-j", "link").utf8)).map(\.ifname).sorted()
}

/// Expects these links in the namespace, within a moment: whoever reads /proc/PID/fdinfo just then, as every look at all
/// holders of queues does, keeps a queue open that its owner has closed, and with it a tap that is not persistent.
func expectLinks(_ names: [String], at location: SourceLocation = #_sourceLocation) throws {
  var found: [String] = []
  _ = try eventually {
    found = try linkNames()
    return found == names
  }
  #expect(found == names, sourceLocation: location)
}

/// `mqctl show --json`, or one of `mqctl list --json`.
struct ShownDevice: Decodable, Equatable, Sendable {
  struct Holder: Decodable, Equatable, Sendable {
    let pid: Int
    let command: String
    let attachedQueues: Int
    let detachedQueues: Int
    let vhostDescriptors: Int
    let served: Served?
    let workers: [Worker]
  }

  struct Served: Decodable, Equatable, Sendable {
    let socket: String
    let pairs: Int
    let connected: Bool
  }

  struct Worker: Decodable, Equatable, Sendable {
    let thread: Int
    let kind: String
  }

  let name: String
  let index: Int
  let madeByMqctl: Bool
  let pairs: Int?
  let attachedQueues: Int
  let detachedQueues: Int
  let flags: [String]
  let owner: UInt32?
  let group: UInt32?
  let mac: String?
  let guestMAC: String?
  let mtu: Int
  let bridge: String?
  let addresses: [String]
  let up: Bool
  let carrier: Bool
  let qdisc: String?
  let holders: [Holder]

  /// Asks mqctl.
  static func named(_ name: String, at location: SourceLocation = #_sourceLocation) throws -> ShownDevice {
    let outcome = try Programs.run([Programs.mqctl, "show", name, "--json"])
    #expect(outcome.code == 0, "mqctl show \(name): \(outcome)", sourceLocation: location)
    return try JSONDecoder().decode(ShownDevice.self, from: Data(outcome.out.utf8))
  }

  /// Asks mqctl until no queue is open, which may take a moment after the last was closed (see ``expectLinks(_:at:)``).
  @discardableResult
  static func idle(_ name: String, at location: SourceLocation = #_sourceLocation) throws -> ShownDevice {
    var device = try named(name, at: location)
    _ = try eventually {
      device = try named(name, at: location)
      return device.attachedQueues + device.detachedQueues == 0 && device.holders.isEmpty
    }
    #expect(device.attachedQueues + device.detachedQueues == 0, sourceLocation: location)
    return device
  }

  /// Every one.
  static func all() throws -> [ShownDevice] {
    struct List: Decodable { let devices: [ShownDevice] }
    let outcome = try mqctl("list", "--json", exits: 0)
    return try JSONDecoder().decode(List.self, from: Data(outcome.out.utf8)).devices
  }
}

/// An error as `--json` prints it.
struct ShownError: Decodable {
  struct Fields: Decodable {
    let code: CInt
    let message: String
    let mend: String?
  }

  let error: Fields

  init(_ outcome: Outcome) throws {
    self = try JSONDecoder().decode(ShownError.self, from: Data(outcome.err.utf8))
  }
}

extension RunningProcess.Outcome {
  /// Standard error is one line, and says every one of these.
  func expectOneError(
    saying words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    #expect(err.hasPrefix("mqctl: "), "\(self)", sourceLocation: location)
    #expect(err.filter { $0 == "\n" }.count == 1 && err.hasSuffix("\n"), "\(self)", sourceLocation: location)
    #expect(out.isEmpty, "\(self)", sourceLocation: location)
    for word in words { #expect(err.contains(word), "no '\(word)' in: \(err)", sourceLocation: location) }
  }
}
