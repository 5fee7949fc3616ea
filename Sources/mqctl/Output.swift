internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import LinuxIO
internal import Synchronization
internal import SystemPackage

/// A command that can say what it did in JSON.
protocol ReportingCommand {
  var output: OutputOptions { get }
}

/// `--json`.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print one JSON object instead of text; errors too, on standard error.")
  var json = false
}

/// The one place that writes.
struct Output {
  let json: Bool

  /// A line for people or an object for machines, on standard output.
  func report(_ value: some Encodable, _ text: () -> String) {
    Self.print(json ? Self.encode(value) : text())
  }

  /// One line on standard error, and out.
  func fail(_ failure: Failure) -> Never {
    if json {
      struct Report: Encodable {
        struct Fields: Encodable {
          let code: Int32
          let message: String
          let mend: String?
        }
        let error: Fields
      }
      Self.note(
        Self.encode(Report(error: .init(code: failure.code.rawValue, message: failure.message, mend: failure.mend))))
    } else {
      Self.note("mqctl: \(failure.message)" + (failure.mend.map { "; \($0)" } ?? ""))
    }
    exit(failure.code.rawValue)
  }

  /// A line on standard error.
  static func note(_ text: String) {
    let isThere = patience.withLock { patience in
      guard let errors = patience.errors else { return false }
      patience.lost = errors.write(Array((text + "\n").utf8)) ? 0 : patience.lost + 1
      return true
    }
    if !isThere { try? write(text, to: .standardError) }
  }

  /// How this process writes lines on standard error once it must not be kept waiting by who reads them, and how many were lost
  /// since one was written.
  private struct Patience: Sendable {
    var errors: ErrorsWithoutWaiting?
    var lost = 0
  }

  private static let patience = Mutex(Patience())

  /// From now on a line on standard error that would have to wait for its reader is lost. The next one comes behind a line that
  /// `log` makes of their number.
  static func loseWhatWouldWait() {
    patience.withLock { $0.errors = ErrorsWithoutWaiting() }
  }

  /// A line on standard error, behind one of `afterLosing` if lines before it were lost.
  static func log(_ text: String, afterLosing: (Int) -> String) {
    let lost = patience.withLock { $0.lost }
    note((lost > 0 ? afterLosing(lost) + "\n" : "") + text)
  }

  /// What a terminal is to show now, on standard error.
  static func draw(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }

  /// A line on standard output; that it cannot be written, as on a full disk, is a failure. (A reader that has gone away
  /// ends the program by SIGPIPE, as ever.)
  static func print(_ text: String) {
    do throws(Errno) {
      try write(text, to: .standardOutput)
    } catch {
      Output(json: false).fail(Failure(.other, "writing to standard output: \(error)"))
    }
  }

  /// write(2) until all of it is out. swift-system's writeAll is generic, and costs what half of a `create` does.
  private static func write(_ text: String, to descriptor: FileDescriptor) throws(Errno) {
    let line = Array((text + "\n").utf8)
    var rest = unsafe line.span.bytes
    while !rest.isEmpty {
      do throws(Errno) {
        let count = try unsafe rest.withUnsafeBytes { bytes throws(Errno) in
          try unsafe LinuxKernel().write(descriptor, bytes)
        }
        rest = rest.extracting(droppingFirst: count)
      } catch {
        guard error == .interrupted else { throw error }
      }
    }
  }

  /// Keys in order, a line: what a machine reads and a person can compare.
  static func encode(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { fatalError("a report is plain data") }
    return String(decoding: data, as: UTF8.self)
  }

  /// Columns, each as wide as its widest cell, two spaces apart.
  static func table(_ header: [String], _ rows: [[String]]) -> String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
      }
      return line
    }.joined(separator: "\n")
  }
}
