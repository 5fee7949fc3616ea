/// One request of HTTP/1.1 (RFC 9112) as Cloud Hypervisor's server takes it.
public struct HTTPRequest: Sendable, Equatable {
  /// `GET` or `PUT`.
  public let method: String
  /// Such as `/api/v1/vm.info`.
  public let path: String
  /// JSON, if there is any.
  public let body: JSON?

  /// Any request.
  public init(_ method: String, _ path: String, body: JSON? = nil) {
    self.method = method
    self.path = path
    self.body = body
  }

  /// The bytes on the wire.
  public var bytes: [UInt8] {
    let content = body?.bytes ?? []
    var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    if body != nil { head += "Content-Type: application/json\r\nContent-Length: \(content.count)\r\n" }
    return Array((head + "\r\n").utf8) + content
  }

  /// For an error's line.
  public var step: String {
    let subject = body?["id"]?.string.map { " \($0)" } ?? ""
    return (path.split(separator: "/").last.map(String.init) ?? path) + subject
  }
}

/// An answer, read as its bytes come.
public struct HTTPResponse: Sendable, Equatable {
  /// Such as 200.
  public let status: Int
  /// What came with it.
  public let body: [UInt8]

  /// The longest head and the longest body that are waited for.
  public static let maximumHead = 1 << 14
  /// Likewise; a machine's whole description has some ten thousand bytes.
  public static let maximumBody = 1 << 22

  /// What bytes are so far.
  public enum Reading: Sendable, Equatable {
    /// The beginning of an answer.
    case incomplete
    /// An answer.
    case complete(HTTPResponse)
    /// No answer, and none will become of it.
    case nonsense(String)
  }

  /// Reads what has come of a connection.
  public static func read(_ bytes: [UInt8]) -> Reading {
    guard let end = endOfHead(bytes) else {
      return bytes.count > maximumHead ? .nonsense("a head of more than \(maximumHead) bytes") : .incomplete
    }
    guard end <= maximumHead else { return .nonsense("a head of more than \(maximumHead) bytes") }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(whereSeparator: \.isNewline)
    let first = (lines.first ?? "").split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard first.count >= 2, first[0] == "HTTP/1.1" || first[0] == "HTTP/1.0", first[1].utf8.count == 3,
      let status = UInt(first[1])
    else { return .nonsense(Text.line("'\(lines.first.map { $0.prefix(80) } ?? "")'")) }
    var length: Int?
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { return .nonsense("a header without a colon") }
      let value = line[line.index(after: colon)...].filter { $0 != " " && $0 != "\t" }
      switch line[..<colon].lowercased() {
      case "content-length":
        guard let number = UInt(value), length == nil || length == Int(exactly: number) else {
          return .nonsense("a content length of '\(value.prefix(40))'")
        }
        guard number <= UInt(maximumBody) else { return .nonsense("a body of \(number) bytes") }
        length = Int(number)
      case "transfer-encoding": return .nonsense("a transfer encoding")
      default: break
      }
    }
    // A status without a body has none, whatever its head says (RFC 9112, 6.3).
    let wanted = status == 204 || status == 304 || status < 200 ? 0 : length ?? 0
    guard bytes.count >= end + wanted else { return .incomplete }
    return .complete(HTTPResponse(status: Int(status), body: Array(bytes[end..<end + wanted])))
  }

  /// Where the body begins.
  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    let mark: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
    guard bytes.count >= mark.count else { return nil }
    return (0...min(bytes.count - mark.count, maximumHead)).first { bytes[$0..<$0 + 4].elementsEqual(mark) }
      .map { $0 + 4 }
  }
}
