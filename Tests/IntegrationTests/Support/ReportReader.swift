import Foundation
import Testing

/// The report lines of a program, `MARK word name=value …` on its standard output, taken one after the other.
final class ReportReader {
  /// A line, without its mark.
  struct Line: Equatable {
    let word: String
    let values: [String: String]

    /// A value that is a number; -1 if it is none.
    subscript(name: String) -> Int { values[name].flatMap { Int($0) } ?? -1 }
  }

  let process: RunningProcess
  private let mark: String
  private var taken = 0

  init(_ process: RunningProcess, mark: String) {
    self.process = process
    self.mark = mark
  }

  /// Waits for the next line of one of these words. Returns what has come up to it, and the line itself last.
  func lines(upTo words: String..., seconds: Double) throws -> [Line] {
    var found: [Line] = []
    try process.waitForOutput("\(mark) \(words.joined(separator: ", "))", seconds: seconds) { text in
      // The last line may not be whole yet.
      let whole = text.lastIndex(where: \.isNewline).map { text[...$0] } ?? ""
      let lines = Self.lines(String(whole), mark: mark).dropFirst(taken)
      guard let index = lines.firstIndex(where: { words.contains($0.word) }) else { return false }
      found = Array(lines[...index])
      taken = index + 1
      return true
    }
    return found
  }

  /// The report lines in a text.
  static func lines(_ text: String, mark: String) -> [Line] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      guard let start = line.range(of: mark + " ") else { return nil }
      let parts = line[start.upperBound...].split(separator: " ").map(String.init)
      guard let word = parts.first else { return nil }
      let pairs = parts.dropFirst().compactMap { part -> (String, String)? in
        guard let equals = part.firstIndex(of: "=") else { return nil }
        return (String(part[..<equals]), String(part[part.index(after: equals)...]))
      }
      return Line(word: word, values: Dictionary(pairs) { first, _ in first })
    }
  }
}
