/// One line that a QMP server sends (QEMU's docs/interop/qmp-spec.rst).
public enum QmpMessage: Sendable, Equatable {
  /// The first line of a connection: QEMU's version.
  case greeting(major: Int, minor: Int)
  /// A command was done; `id` is the command's own.
  case result(JSON, id: Int?)
  /// A command was not done.
  case error(QmpRefusal, id: Int?)
  /// Something happened, whatever was asked.
  case event(String, JSON)

  /// Reads a line; nil if it is nothing that the protocol has.
  public init?(line: [UInt8]) {
    guard let message = JSON(line) else { return nil }
    let id = message["id"]?.integer
    if let greeting = message["QMP"] {
      let version = greeting["version"]?["qemu"]
      guard let major = version?["major"]?.integer, let minor = version?["minor"]?.integer else { return nil }
      self = .greeting(major: major, minor: minor)
    } else if let result = message["return"] {
      self = .result(result, id: id)
    } else if let error = message["error"] {
      guard let kind = error["class"]?.string, let words = error["desc"]?.string else { return nil }
      self = .error(QmpRefusal(kind: kind, words: Text.line(words)), id: id)
    } else if let event = message["event"]?.string {
      self = .event(event, message["data"] ?? .null)
    } else {
      return nil
    }
  }
}

/// QEMU's own words for why a command was not done.
public struct QmpRefusal: Sendable, Equatable {
  /// The error's class: `GenericError`, `DeviceNotFound`, `CommandNotFound`, …
  public let kind: String
  /// What it says.
  public let words: String
}

/// A command: a line of JSON.
public struct QmpCommand: Sendable, Equatable {
  /// Its name.
  public let name: String
  /// Its arguments.
  public let arguments: [String: JSON]

  /// Any command.
  public init(_ name: String, _ arguments: [String: JSON] = [:]) {
    self.name = name
    self.arguments = arguments
  }

  /// The line, with its end. The answer carries the same `id`.
  public func line(id: Int) -> [UInt8] {
    var message: [String: JSON] = ["execute": .string(name), "id": .integer(id)]
    if !arguments.isEmpty { message["arguments"] = .object(arguments) }
    return JSON.object(message).bytes + [0x0A]
  }

  /// The command and what it is about, for an error's line.
  public var step: String {
    let subject = ["id", "fdname", "typename", "path"].lazy.compactMap { arguments[$0]?.string }.first
    return subject.map { "\(name) \($0)" } ?? name
  }
}

/// What a peer said, made fit for one line of an error.
internal enum Text {
  /// Without control characters, and no longer than a line of an error may be.
  internal static func line(_ text: String) -> String {
    let clean = String(
      text.unicodeScalars.prefix(400).map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    return clean.split(separator: " ").joined(separator: " ")
  }
}
