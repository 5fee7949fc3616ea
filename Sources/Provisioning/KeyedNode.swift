/// A map whose keys are known.
internal struct KeyedNode<Key: RawRepresentable & CaseIterable & Hashable> where Key.RawValue == String {
  private let node: Node
  private let file: String
  private let path: String
  private var fields: [Key: Field] = [:]

  /// Refuses what is no map, and keys that are not among the known.
  internal init(_ node: Node, file: String, path: String) throws(ManifestProblem) {
    self.node = node
    self.file = file
    self.path = path
    let known = Key.allCases.map(\.rawValue)
    guard case .map(let entries) = node.value else {
      throw ManifestProblem(
        file: file, line: node.line, key: path.isEmpty ? nil : path, "a map belongs here, not \(node.kind)",
        mend: "write keys and values, of \(known.joined(separator: ", "))")
    }
    for entry in entries {
      guard let key = Key(rawValue: entry.key) else {
        let meant = Suggestion.nearest(to: entry.key, of: known)
        throw ManifestProblem(
          file: file, line: entry.line, key: Self.join(path, entry.key), "no such key",
          mend: meant.map { "did you mean '\($0)'?" } ?? "there are \(known.joined(separator: ", "))")
      }
      fields[key] = Field(node: entry.value, line: entry.line, file: file, path: Self.join(path, entry.key))
    }
  }

  /// What a key says; nil where it is not there.
  internal subscript(key: Key) -> Field? { fields[key] }

  /// What a key says that has to be there.
  internal func required(_ key: Key) throws(ManifestProblem) -> Field {
    guard let field = fields[key] else {
      throw ManifestProblem(
        file: file, line: node.line, key: path.isEmpty ? nil : path, "it has no '\(key.rawValue)'",
        mend: "write '\(key.rawValue): …'")
    }
    return field
  }

  private static func join(_ path: String, _ key: String) -> String {
    let shown = key.count > 40 ? "\(key.prefix(40))…" : key
    return path.isEmpty ? shown : "\(path).\(shown)"
  }
}

/// The value of a key, and what it may be.
internal struct Field {
  internal let node: Node
  internal let line: Int
  internal let file: String
  internal let path: String

  internal func problem(_ what: String, mend: String?) -> ManifestProblem {
    ManifestProblem(file: file, line: line, key: path, what, mend: mend)
  }

  private func mismatch(_ wanted: String, mend: String) -> ManifestProblem {
    problem("\(node.kind) stands where \(wanted) belongs", mend: mend)
  }

  /// Text; what YAML takes for a number or a truth value is one only in quotes.
  internal func text() throws(ManifestProblem) -> String {
    switch node.value {
    case .scalar(.text(let text)): return text
    case .scalar(.number), .scalar(.real), .scalar(.flag): throw mismatch("text", mend: "put it in quotes")
    default: throw mismatch("text", mend: "write a word")
    }
  }

  /// Text, or a number without a sign.
  internal func word() throws(ManifestProblem) -> String {
    if case .scalar(.number(let number)) = node.value, number >= 0 { return String(number) }
    return try text()
  }

  internal func flag() throws(ManifestProblem) -> Bool {
    guard case .scalar(.flag(let flag)) = node.value else {
      throw mismatch("a truth value", mend: "write true or false")
    }
    return flag
  }

  internal func number(in range: ClosedRange<Int>, _ who: String) throws(ManifestProblem) -> Int {
    let mend = "\(who) \(range.lowerBound) to \(range.upperBound)"
    guard case .scalar(.number(let number)) = node.value else {
      throw mismatch("a whole number", mend: "write it without quotes; \(mend)")
    }
    guard range.contains(number) else { throw problem("\(number) is out of range", mend: mend) }
    return number
  }

  /// Text that a type of its own reads; its error says the mend.
  internal func parsed<Value, Failure: Error & CustomStringConvertible>(
    _ parse: (String) throws(Failure) -> Value
  ) throws(ManifestProblem) -> Value {
    let text = try text()
    do throws(Failure) {
      return try parse(text)
    } catch {
      throw problem(error.description, mend: nil)
    }
  }

  internal func choice<Choice: RawRepresentable & CaseIterable>(of type: Choice.Type) throws(ManifestProblem) -> Choice
  where Choice.RawValue == String {
    let text = try text()
    guard let choice = Choice(rawValue: text) else {
      throw problem(
        "'\(text)' is no choice", mend: "write one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  /// A user or group, by name or number.
  internal func identity(
    _ kind: String, _ find: (String) -> UInt32?
  ) throws(ManifestProblem) -> UInt32 {
    let word = try word()
    guard let id = find(word) else {
      throw problem("there is no \(kind) '\(word)'", mend: "add it, or write a number")
    }
    return id
  }

  internal func list() throws(ManifestProblem) -> [Node] {
    guard case .list(let items) = node.value else {
      throw mismatch("a list", mend: "write [one, two], or a line with - before each")
    }
    return items
  }

  /// The values of a list, each with its own place.
  internal func items() throws(ManifestProblem) -> [Field] {
    try list().enumerated().map { number, item in
      Field(node: item, line: item.line, file: file, path: "\(path)[\(number)]")
    }
  }
}
