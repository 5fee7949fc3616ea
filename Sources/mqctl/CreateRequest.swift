internal import Orchestrator
internal import TapMQ

/// What `mqctl create` was asked for.
struct CreateRequest {
  let name: InterfaceName
  let pairs: Int
  let device: DeviceWords
  /// Where the tap is to live, as `--netns` has it.
  let namespace: String?
  let replace: Bool
  let json: Bool

  func carryOut() throws {
    let spec = try device.spec(name, pairs: pairs)
    try NamespaceOptions.enter(namespace)
    let outcome = try Failure.explain(Provisioner.create(spec, replace: replace))
    struct Report: Encodable {
      let name: String
      let outcome: String
      let pairs: Int
    }
    Output(json: json).report(Report(name: "\(name)", outcome: outcome.rawValue, pairs: pairs)) {
      switch outcome {
      case .created: "\(name): created with \(pairs) queue pair(s)"
      case .unchanged: "\(name): already so"
      case .changed, .replaced: "\(name): replaced, now with \(pairs) queue pair(s)"
      }
    }
  }
}

extension CreateRequest {
  /// Reads the words behind `create` where they are plain: a name, and options spelt out with their values as words of
  /// their own, each of them valid. Nil for any other, which is ArgumentParser's to read, to explain or to refuse.
  ///
  /// `create` is what scripts call by the thousand, and ArgumentParser, which finds its options by reflection, takes
  /// twenty times as long over them as all the rest of it does.
  init?(plain words: some Sequence<String>) {
    var name: InterfaceName?
    var pairs: Int?
    var device = DeviceWords()
    var namespace: String?
    var seen: [String] = []
    var rest = words.makeIterator()
    while let word = rest.next() {
      guard word.hasPrefix("-") else {
        guard name == nil, let given = try? InterfaceName(word) else { return nil }
        name = given
        continue
      }
      // Which of two is meant is not for here.
      guard word == "--address" || !seen.contains(word) else { return nil }
      seen.append(word)
      switch word {
      case "--down": device.down = true
      case "--backpressure": device.backpressure = true
      case "--replace", "--json": break
      default:
        guard let value = rest.next(), !value.hasPrefix("-") else { return nil }
        switch word {
        case "--pairs":
          guard let number = Int(value) else { return nil }
          pairs = number
        case "--netns": namespace = value
        default:
          guard device.take(word, value) else { return nil }
        }
      }
    }
    guard let name, let pairs else { return nil }
    self.init(
      name: name, pairs: pairs, device: device, namespace: namespace, replace: seen.contains("--replace"),
      json: seen.contains("--json"))
  }
}

extension DeviceWords {
  /// False for a word that is no option of a device, or a value that it cannot have.
  fileprivate mutating func take(_ option: String, _ value: String) -> Bool {
    switch option {
    case "--owner": owner = value
    case "--group": group = value
    case "--mtu":
      guard let bytes = Int(value) else { return false }
      mtu = bytes
    case "--mac":
      guard let address = try? MACAddress(value) else { return false }
      mac = address
    case "--bridge":
      guard let name = try? InterfaceName(value) else { return false }
      bridge = name
    case "--address":
      guard let address = try? InterfaceAddress(value) else { return false }
      addresses.append(address)
    case "--qdisc":
      guard let choice = DeviceSpec.Qdisc(rawValue: value) else { return false }
      qdisc = choice
    default: return false
    }
    return true
  }
}
