import CLinuxUAPI
import Foundation
import Glibc
import LinuxIO
import SystemPackage

/// A program that a test started, in the network namespace of the calling thread: posix_spawn(3) forks from that thread.
///
/// Its output is read as it comes. It does not outlive this object: whatever makes a test end, the program is killed.
final class RunningProcess {
  let processID: pid_t
  let words: [String]
  /// What it has printed so far.
  private(set) var out: [UInt8] = []
  private(set) var err: [UInt8] = []

  private let handle: OwnedDescriptor
  private let outPipe: OwnedDescriptor
  private let errPipe: OwnedDescriptor
  private let inPipe: OwnedDescriptor
  private var open: (out: Bool, err: Bool) = (true, true)
  private var status: CInt?

  /// How a program ended.
  struct Outcome: Sendable, CustomStringConvertible {
    /// Its exit code; 128 + N if signal N ended it.
    let code: CInt
    let out: String
    let err: String

    var description: String { "exit \(code)\nstdout: \(out)stderr: \(err)" }
  }

  struct TimedOut: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts `words[0]`, looked up in PATH. `environment` is added to this process's own.
  init(_ words: [String], environment: [String: String] = [:]) throws {
    let input = try Self.pipe()
    let output = try Self.pipe()
    let errors = try Self.pipe()
    self.words = words
    processID = try Self.spawn(
      words, environment, descriptors: [input.read.rawValue, output.write.rawValue, errors.write.rawValue])
    handle = OwnedDescriptor(adopting: FileDescriptor(rawValue: mq_pidfd_open(processID)))
    inPipe = input.takeWrite()
    outPipe = output.takeRead()
    errPipe = errors.takeRead()
    for number in [outPipe.rawValue, errPipe.rawValue] { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
  }

  deinit {
    if status == nil {
      _ = Glibc.kill(processID, SIGKILL)
      var ignored: CInt = 0
      while unsafe waitpid(processID, &ignored, 0) < 0, errno == EINTR {}
    }
  }

  var outText: String { String(decoding: out, as: UTF8.self) }
  var errText: String { String(decoding: err, as: UTF8.self) }

  /// Sends a signal, unless it has been waited for.
  func kill(_ signal: CInt = SIGKILL) {
    if status == nil { _ = Glibc.kill(processID, signal) }
  }

  /// Writes to its standard input.
  func write(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard unsafe Glibc.write(inPipe.rawValue, bytes, bytes.count) == bytes.count else { throw Errno(rawValue: errno) }
  }

  /// Reads until what it printed on standard output holds `mark` so many times.
  func waitForOutput(_ mark: String, times: Int = 1, seconds: Double = 60) throws {
    try waitForOutput(mark, seconds: seconds) { $0.components(separatedBy: mark).count > times }
  }

  /// Reads until something is so of what it printed on standard output; `what` says what in an error.
  func waitForOutput(_ what: String, seconds: Double, until isSo: (String) -> Bool) throws {
    let end = Deadline(seconds)
    while !isSo(outText) {
      guard !end.isOver else { throw timedOut("did not print '\(what)'", seconds) }
      if try pump(end) {
        guard isSo(outText) else { throw timedOut("ended without printing '\(what)'", seconds) }
        return
      }
    }
  }

  /// Reads until what it printed on standard error holds `mark` so many times.
  func waitForErrors(_ mark: String, times: Int = 1, seconds: Double = 60) throws {
    let end = Deadline(seconds)
    while errText.components(separatedBy: mark).count <= times {
      guard !end.isOver else { throw timedOut("did not print '\(mark)' on standard error", seconds) }
      if try pump(end), errText.components(separatedBy: mark).count <= times {
        throw timedOut("ended without printing '\(mark)'", seconds)
      }
    }
  }

  /// Waits for its end. Whatever has its output open after that is not waited for.
  func wait(seconds: Double = 60) throws -> Outcome {
    let end = Deadline(seconds)
    while status == nil {
      if try pump(end) { break }
      guard !end.isOver else {
        kill()
        throw timedOut("did not end", seconds)
      }
    }
    return Outcome(code: try reap(), out: outText, err: errText)
  }

  /// Reads what is there; true once it has ended.
  private func pump(_ end: Deadline) throws -> Bool {
    var entries = [
      pollfd(fd: handle.rawValue, events: Int16(POLLIN), revents: 0),
      pollfd(fd: open.out ? outPipe.rawValue : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: open.err ? errPipe.rawValue : -1, events: Int16(POLLIN), revents: 0),
    ]
    guard unsafe poll(&entries, 3, end.milliseconds) >= 0 || errno == EINTR else { throw Errno(rawValue: errno) }
    let ended = entries[0].revents != 0
    if open.out { open.out = Self.drain(outPipe, into: &out) }
    if open.err { open.err = Self.drain(errPipe, into: &err) }
    return ended
  }

  private func reap() throws -> CInt {
    if let status { return status }
    var raw: CInt = 0
    while unsafe waitpid(processID, &raw, 0) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
    let signal = raw & 0x7F
    let code = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
    status = code
    return code
  }

  private func timedOut(_ what: String, _ seconds: Double) -> TimedOut {
    TimedOut(
      description: "\(words.joined(separator: " ")) \(what) in \(seconds) s\nstdout: \(outText)\nstderr: \(errText)")
  }

  /// False at the end of file.
  private static func drain(_ pipe: borrowing OwnedDescriptor, into bytes: inout [UInt8]) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe read(pipe.rawValue, &buffer, buffer.count)
      if count == 0 { return false }
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      bytes += buffer[..<count]
    }
  }

  private static func spawn(
    _ words: [String], _ environment: [String: String], descriptors: [CInt]
  ) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for (number, descriptor) in descriptors.enumerated() {
      unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
    }
    // A thread of the tests may have signals blocked, and a program that is started does not expect that.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let own = ownEnvironment().merging(environment) { _, new in new }
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var variables = unsafe own.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      unsafe arguments.forEach { unsafe free($0) }
      unsafe variables.forEach { unsafe free($0) }
    }
    var process: pid_t = 0
    let result = unsafe posix_spawnp(&process, words[0], &actions, &attributes, &arguments, &variables)
    guard result == 0 else { throw TimedOut(description: "cannot start \(words[0]): \(Errno(rawValue: result))") }
    return process
  }

  private static func ownEnvironment() -> [String: String] {
    var found: [String: String] = [:]
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let parts = unsafe String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
      unsafe next += 1
    }
    return found
  }

  private struct Pipe: ~Copyable {
    let read: OwnedDescriptor
    let write: OwnedDescriptor

    consuming func takeRead() -> OwnedDescriptor { read }
    consuming func takeWrite() -> OwnedDescriptor { write }
  }

  private static func pipe() throws -> Pipe {
    var numbers: [CInt] = [0, 0]
    guard unsafe mq_pipe(&numbers) == 0 else { throw Errno(rawValue: errno) }
    return Pipe(
      read: OwnedDescriptor(adopting: FileDescriptor(rawValue: numbers[0])),
      write: OwnedDescriptor(adopting: FileDescriptor(rawValue: numbers[1])))
  }
}

/// A point in time by which something must have happened.
struct Deadline {
  private let end: ContinuousClock.Instant

  init(_ seconds: Double) { end = .now + .seconds(seconds) }

  var isOver: Bool { .now >= end }

  /// What is left, for poll(2): at most a tenth of a second, so that the end is seen.
  var milliseconds: CInt { isOver ? 0 : 100 }
}

/// Asks again until it is so; false if it never was.
func eventually(seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
  let end = Deadline(seconds)
  while true {
    if try condition() { return true }
    if end.isOver { return false }
    usleep(5_000)
  }
}
