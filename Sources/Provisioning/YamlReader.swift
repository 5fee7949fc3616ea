internal import CYaml

/// One YAML document, JSON's among them, by libyaml's events.
///
/// A file may come from anywhere: nesting is bounded before anything recurses, aliases and tags are refused (a few lines of
/// aliases would name a thousand million devices), so is a second document.
@safe internal struct YamlReader: ~Copyable {
  /// A device's addresses are four deep.
  private static let deepest = 16
  /// Some 50 000 devices.
  private static let mostValues = 1_000_000

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let file: String
  private let bytes: UnsafeBufferPointer<UInt8>
  private var valueCount = 0

  /// Reads the bytes of a file.
  internal static func read(_ bytes: [UInt8], file: String) throws(ManifestProblem) -> Node {
    let bytes = JSONEscapes.rewritten(bytes)
    return try unsafe bytes.withUnsafeBufferPointer { buffer throws(ManifestProblem) in
      var reader = try unsafe YamlReader(buffer, file: file)
      return try reader.document()
    }
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>, file: String) throws(ManifestProblem) {
    unsafe parser = .allocate(capacity: 1)
    self.file = file
    unsafe self.bytes = bytes
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      throw ManifestProblem(file: file, line: nil, "there is no memory to read it", mend: nil)
    }
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
  }

  // MARK: events

  /// An event without what is libyaml's.
  private struct Event {
    enum Kind {
      case start, end, document, documentEnd, list, listEnd, map, mapEnd
      case scalar(Scalar)
    }

    let kind: Kind
    let line: Int
  }

  private func next() throws(ManifestProblem) -> Event {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { unsafe yaml_event_delete(&event) }
    let line = unsafe event.start_mark.line + 1
    switch unsafe event.type {
    case YAML_STREAM_START_EVENT: return Event(kind: .start, line: line)
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return Event(kind: .end, line: line)
    case YAML_DOCUMENT_START_EVENT: return Event(kind: .document, line: line)
    case YAML_DOCUMENT_END_EVENT: return Event(kind: .documentEnd, line: line)
    case YAML_SEQUENCE_START_EVENT:
      let start = unsafe event.data.sequence_start
      try unsafe refuse(anchor: start.anchor, tag: start.tag, line)
      return Event(kind: .list, line: line)
    case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, line: line)
    case YAML_MAPPING_START_EVENT:
      let start = unsafe event.data.mapping_start
      try unsafe refuse(anchor: start.anchor, tag: start.tag, line)
      return Event(kind: .map, line: line)
    case YAML_MAPPING_END_EVENT: return Event(kind: .mapEnd, line: line)
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      try unsafe refuse(anchor: scalar.anchor, tag: scalar.tag, line)
      let buffer = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      let text = unsafe String(decoding: buffer, as: UTF8.self)
      let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
      return Event(kind: .scalar(isPlain ? Scalar(plain: text) : .text(text)), line: line)
    default:
      throw ManifestProblem(
        file: file, line: line, "an alias (*) stands for another part of the file", mend: "write that part out")
    }
  }

  private func refuse(
    anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, _ line: Int
  ) throws(ManifestProblem) {
    guard unsafe anchor == nil else {
      throw ManifestProblem(file: file, line: line, "an anchor (&) names a part of the file", mend: "leave it out")
    }
    guard unsafe tag == nil else {
      throw ManifestProblem(file: file, line: line, "a tag (!) gives a value another type", mend: "leave it out")
    }
  }

  /// What libyaml did not like.
  private func problem() -> ManifestProblem {
    let text = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "it cannot be read"
    guard unsafe parser.pointee.error != YAML_READER_ERROR else {
      let end = unsafe min(Int(parser.pointee.problem_offset), bytes.count)
      let line = unsafe bytes[..<end].count { $0 == UInt8(ascii: "\n") } + 1
      if text.contains("control characters") {
        return ManifestProblem(file: file, line: line, "a control character stands there", mend: "remove it")
      }
      return ManifestProblem(file: file, line: line, "it is not UTF-8 (\(text))", mend: "save it as UTF-8")
    }
    let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) + ": " } ?? ""
    return ManifestProblem(
      file: file, line: unsafe parser.pointee.problem_mark.line + 1,
      "column \(unsafe parser.pointee.problem_mark.column + 1) is no YAML, nor JSON: \(context)\(text)",
      mend: "correct it there, or in the line before; indent by spaces")
  }

  // MARK: values

  private mutating func document() throws(ManifestProblem) -> Node {
    var event = try next()
    if case .start = event.kind { event = try next() }
    guard case .document = event.kind else {
      throw ManifestProblem(file: file, line: event.line, "it is empty", mend: "write 'devices: []' for none")
    }
    let node = try value(try next(), depth: 1)
    _ = try next()
    let last = try next()
    guard case .end = last.kind else {
      throw ManifestProblem(
        file: file, line: last.line, "a second document begins", mend: "put it into a file of its own")
    }
    return node
  }

  private mutating func value(_ event: Event, depth: Int) throws(ManifestProblem) -> Node {
    valueCount += 1
    guard valueCount <= Self.mostValues else {
      throw ManifestProblem(
        file: file, line: event.line, "there are more than \(Self.mostValues) values", mend: "make it several files")
    }
    guard depth <= Self.deepest else {
      throw ManifestProblem(
        file: file, line: event.line, "it is nested deeper than \(Self.deepest) levels",
        mend: "see docs/provisioning.md for what a file looks like")
    }
    switch event.kind {
    case .list:
      var items: [Node] = []
      while true {
        let item = try next()
        if case .listEnd = item.kind { return Node(value: .list(items), line: event.line) }
        items.append(try value(item, depth: depth + 1))
      }
    case .map: return Node(value: .map(try entries(depth: depth)), line: event.line)
    case .scalar(let scalar): return Node(value: .scalar(scalar), line: event.line)
    default:
      throw ManifestProblem(file: file, line: event.line, "a value is missing", mend: nil)
    }
  }

  private mutating func entries(depth: Int) throws(ManifestProblem) -> [Node.Entry] {
    var entries: [Node.Entry] = []
    var lines: [String: Int] = [:]
    while true {
      let event = try next()
      if case .mapEnd = event.kind { return entries }
      guard case .scalar(.text(let key)) = event.kind else {
        throw ManifestProblem(file: file, line: event.line, "a key is no text", mend: "put it in quotes")
      }
      if let first = lines.updateValue(event.line, forKey: key) {
        throw ManifestProblem(
          file: file, line: event.line, key: key, "it is there already, in line \(first)", mend: "leave one out")
      }
      entries.append(Node.Entry(key: key, line: event.line, value: try value(try next(), depth: depth + 1)))
    }
  }
}
