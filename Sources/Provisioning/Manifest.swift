internal import LinuxIO
public import Orchestrator
internal import TapMQ

/// The devices that are to be, as files say.
public struct Manifest: Sendable {
  /// A device that is to be.
  public struct Entry: Sendable, Equatable {
    /// What `mqctl create` would be told.
    public let spec: DeviceSpec
    /// The network namespace, in the words of `--netns`; nil for the command's own.
    public let namespace: String?
    /// How it is to be served; nil where the file does not say.
    public let serve: ServeSpec?
    /// The file that names it.
    public let file: String
    /// The line where it does.
    public let line: Int
  }

  /// In the order of the files. No name is there twice in a namespace.
  public let entries: [Entry]

  /// A file that was read.
  public struct File: Sendable {
    /// As the command was given it.
    public let name: String
    /// What is in it.
    public let bytes: [UInt8]

    /// A file of that name.
    public init(name: String, bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
    }
  }

  /// How a file's words for users and groups become numbers.
  public struct Names: Sendable {
    internal let user: @Sendable (String) -> UInt32?
    internal let group: @Sendable (String) -> UInt32?

    /// By these functions, each of which is asked once for a word.
    public init(user: @escaping @Sendable (String) -> UInt32?, group: @escaping @Sendable (String) -> UInt32?) {
      self.user = user
      self.group = group
    }

    /// As this machine knows them.
    public static let machine = Names(user: { UserDatabase.user($0)?.id }, group: { UserDatabase.group($0) })
  }

  /// Reads files, each of which is YAML or JSON. Two of them may both name a device if they say the same of it.
  public init(_ files: [File], names: Names = .machine) throws(ManifestProblem) {
    var collected: [Entry] = []
    var known: [String: Entry] = [:]
    var sockets: [String: Entry] = [:]
    var lookup = NameLookup(names)
    for file in files {
      let reader = ManifestReader(file: file.name)
      for entry in try reader.entries(in: YamlReader.read(file.bytes, file: file.name), &lookup) {
        let name = "\(entry.namespace ?? "")/\(entry.spec.name)"
        if let first = known[name] {
          guard first.file != entry.file else {
            throw ManifestProblem(
              file: entry.file, line: entry.line, key: "\(entry.spec.name)",
              "it is there already, in line \(first.line)", mend: "leave one out")
          }
          if let difference = first.contradiction(to: entry) {
            throw ManifestProblem(
              file: entry.file, line: entry.line, key: "\(entry.spec.name)",
              "\(first.file):\(first.line) contradicts it: \(difference)", mend: "let one of the files name it")
          }
          continue
        }
        if let socket = entry.serve?.socket, let first = sockets.updateValue(entry, forKey: socket) {
          throw ManifestProblem(
            file: entry.file, line: entry.line, key: "\(entry.spec.name).serve.socket",
            "\(first.spec.name) has it already, by \(first.file):\(first.line)", mend: "give each a socket of its own")
        }
        known[name] = entry
        collected.append(entry)
      }
    }
    entries = collected
  }
}

extension Manifest.Entry {
  /// What two files say differently of a device; nil if they agree.
  fileprivate func contradiction(to other: Self) -> String? {
    func text(_ value: (some CustomStringConvertible)?) -> String { value?.description ?? "none" }
    let first = spec
    let second = other.spec
    let all: [(String, String, String)] = [
      ("pairs", "\(first.pairs)", "\(second.pairs)"), ("owner", text(first.owner), text(second.owner)),
      ("group", text(first.group), text(second.group)), ("mac", text(first.mac), text(second.mac)),
      ("mtu", "\(first.mtu)", "\(second.mtu)"), ("bridge", text(first.bridge), text(second.bridge)),
      (
        "addresses", first.addresses.map(\.description).sorted().joined(separator: " "),
        second.addresses.map(\.description).sorted().joined(separator: " ")
      ), ("down", "\(!first.isUp)", "\(!second.isUp)"), ("qdisc", first.qdisc.rawValue, second.qdisc.rawValue),
      ("backpressure", "\(first.backpressure)", "\(second.backpressure)"),
    ]
    if let (key, one, two) = all.first(where: { $0.1 != $0.2 }) { return "\(key) is \(one) there, \(two) here" }
    return serve == other.serve ? nil : "serve is another there"
  }
}

/// Asks for each user and group once.
internal struct NameLookup {
  private let names: Manifest.Names
  private var users: [String: UInt32?] = [:]
  private var groups: [String: UInt32?] = [:]

  internal init(_ names: Manifest.Names) {
    self.names = names
  }

  internal mutating func user(_ word: String) -> UInt32? {
    if let known = users[word] { return known }
    let id = names.user(word)
    users[word] = .some(id)
    return id
  }

  internal mutating func group(_ word: String) -> UInt32? {
    if let known = groups[word] { return known }
    let id = names.group(word)
    groups[word] = .some(id)
    return id
  }
}

extension Manifest {
  /// The devices of each namespace that is named, in the order of the files.
  public var byNamespace: [(namespace: String?, entries: [Entry])] {
    var order: [String?] = []
    var groups: [String?: [Entry]] = [:]
    for entry in entries {
      if groups[entry.namespace] == nil { order.append(entry.namespace) }
      groups[entry.namespace, default: []].append(entry)
    }
    return order.map { ($0, groups[$0] ?? []) }
  }
}
