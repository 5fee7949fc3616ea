/// A value of a file with its place, before it is known what it means.
internal struct Node: Sendable {
  /// What it is.
  internal indirect enum Value: Sendable {
    /// Anything that is neither list nor map.
    case scalar(Scalar)
    /// A YAML sequence, a JSON array.
    case list([Node])
    /// A YAML mapping, a JSON object. No key is there twice.
    case map([Entry])
  }

  /// A key and what it says.
  internal struct Entry: Sendable {
    internal let key: String
    /// The key's own line.
    internal let line: Int
    internal let value: Node
  }

  internal let value: Value
  /// From 1.
  internal let line: Int

  /// What it is, for people.
  internal var kind: String {
    switch value {
    case .list: "a list"
    case .map: "a map"
    case .scalar(let scalar): scalar.kind
    }
  }
}

/// A single value, as YAML 1.2's core schema has it, of which JSON's values are a part.
internal enum Scalar: Sendable, Equatable {
  case null
  case flag(Bool)
  /// Clamped where it is out of all bounds.
  case number(Int)
  /// With a fraction or an exponent.
  case real(String)
  case text(String)

  /// Reads what stands there without quotes.
  internal init(plain text: String) {
    switch text {
    case "", "~", "null", "Null", "NULL": self = .null
    case "true", "True", "TRUE": self = .flag(true)
    case "false", "False", "FALSE": self = .flag(false)
    default:
      let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
      let signs = text.utf8.count - digits.count
      if signs <= 1, !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) {
        self = .number(Int(text) ?? (text.utf8.first == UInt8(ascii: "-") ? .min : .max))
      } else if signs <= 1, Self.isReal(digits) {
        self = .real(text)
      } else {
        self = .text(text)
      }
    }
  }

  /// `1.5`, `.5`, `1e3`.
  private static func isReal(_ digits: Substring.UTF8View) -> Bool {
    let allowed = "0123456789.eE+-".utf8
    return digits.allSatisfy(allowed.contains) && digits.contains { (0x30...0x39).contains($0) }
      && Double(String(Substring(digits))) != nil
  }

  internal var kind: String {
    switch self {
    case .null: "nothing"
    case .flag(let flag): "\(flag)"
    case .number(let number): "the number \(number)"
    case .real(let text): "the number \(text)"
    case .text(let text): "'\(text.count > 40 ? text.prefix(40) + "…" : text)'"
    }
  }
}
