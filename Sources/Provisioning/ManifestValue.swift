/// A value of a file that is to be written: as YAML, or by an encoder of another's.
public enum ManifestValue: Sendable, Equatable, Encodable {
  /// A word.
  case text(String)
  /// A number.
  case number(Int)
  /// true or false.
  case flag(Bool)
  /// A list.
  case list([ManifestValue])
  /// Keys in their order, and their values.
  case map([(key: String, value: ManifestValue)])

  /// Equal if all of it is.
  public static func == (first: Self, second: Self) -> Bool {
    switch (first, second) {
    case (.text(let one), .text(let two)): one == two
    case (.number(let one), .number(let two)): one == two
    case (.flag(let one), .flag(let two)): one == two
    case (.list(let one), .list(let two)): one == two
    case (.map(let one), .map(let two)): one.map(\.key) == two.map(\.key) && one.map(\.value) == two.map(\.value)
    default: false
    }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// As any encoder has it.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .text(let text):
      var container = encoder.singleValueContainer()
      try container.encode(text)
    case .number(let number):
      var container = encoder.singleValueContainer()
      try container.encode(number)
    case .flag(let flag):
      var container = encoder.singleValueContainer()
      try container.encode(flag)
    case .list(let values):
      var container = encoder.unkeyedContainer()
      for value in values { try container.encode(value) }
    case .map(let entries):
      var container = encoder.container(keyedBy: Key.self)
      for (key, value) in entries { try container.encode(value, forKey: Key(stringValue: key)) }
    }
  }

  /// As YAML, a line a key.
  public var yaml: String { Self.lines(self).joined(separator: "\n") + "\n" }

  private static func lines(_ value: Self) -> [String] {
    switch value {
    case .text, .number, .flag: [scalar(value)]
    case .list(let values): values.flatMap { indented(lines($0), first: "- ") }
    case .map(let entries):
      entries.flatMap { key, value -> [String] in
        switch value {
        case .list(let values) where values.isEmpty: ["\(key): []"]
        case .list(let values) where values.allSatisfy(\.isScalar):
          ["\(key): [\(values.map(scalar).joined(separator: ", "))]"]
        case .list, .map: ["\(key):"] + indented(lines(value), first: "  ")
        default: ["\(key): \(scalar(value))"]
        }
      }
    }
  }

  private var isScalar: Bool {
    switch self {
    case .list, .map: false
    default: true
    }
  }

  private static func indented(_ lines: [String], first: String) -> [String] {
    lines.enumerated().map { ($0 == 0 ? first : "  ") + $1 }
  }

  private static func scalar(_ value: Self) -> String {
    switch value {
    case .number(let number): "\(number)"
    case .flag(let flag): "\(flag)"
    case .text(let text): isPlain(text) ? text : quoted(text)
    default: ""
    }
  }

  /// Whether every reader of YAML, of version 1.1 too, takes it for text without quotes.
  private static func isPlain(_ text: String) -> Bool {
    let words: Set = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
    let letters = text.utf8.first.map { (0x41...0x5A).contains($0 & 0xDF) || $0 == UInt8(ascii: "/") } ?? false
    let others = "-_./".utf8
    return letters && !words.contains(text.lowercased())
      && text.utf8.allSatisfy {
        (0x41...0x5A).contains($0 & 0xDF) || (0x30...0x39).contains($0) || others.contains($0)
      }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
        let digits = String(scalar.value, radix: 16)
        result += "\\x" + (digits.count < 2 ? "0" : "") + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
