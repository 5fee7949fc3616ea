/// A device in the words of QEMU's `-device`: `virtio-net-pci,disable-legacy=on,bus=rp0`.
public struct QemuDevice: Sendable, Equatable {
  /// The driver's name.
  public let driver: String
  /// Its properties in the order given.
  public let properties: [(name: String, value: String)]

  /// What is meant where nothing is said.
  public static let virtioNet = QemuDevice(driver: "virtio-net-pci")

  private init(driver: String) {
    self.driver = driver
    properties = []
  }

  /// Why words are no device.
  public struct Invalid: Error, CustomStringConvertible {
    /// What is wrong with them.
    public let description: String
  }

  /// Reads the words. A value's own comma is doubled, as ever in QEMU; a name without `=` is `on`.
  public init(_ words: String) throws(Invalid) {
    var parts = [""]
    var rest = words[...]
    while let character = rest.popFirst() {
      if character != "," {
        parts[parts.count - 1].append(character)
      } else if rest.first == "," {
        rest.removeFirst()
        parts[parts.count - 1].append(",")
      } else {
        parts.append("")
      }
    }
    driver = parts[0]
    guard !driver.isEmpty, !driver.contains("=") else {
      throw Invalid(description: "'\(words)' does not begin with a driver's name, such as virtio-net-pci")
    }
    var found: [(name: String, value: String)] = []
    for part in parts.dropFirst() {
      let pieces = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(pieces[0])
      guard !name.isEmpty else { throw Invalid(description: "'\(words)' has a property without a name") }
      guard name != "id", name != "netdev", name != "driver" else {
        throw Invalid(description: "'\(name)' is set by mqctl; leave it out of the device's words")
      }
      guard !found.contains(where: { $0.name == name }) else {
        throw Invalid(description: "'\(name)' is given twice")
      }
      found.append((name, pieces.count == 2 ? String(pieces[1]) : "on"))
    }
    properties = found
  }

  /// Whether it is a PCI device, for which a free port may be looked for.
  public var isPCI: Bool { driver.contains("-pci") }

  /// Whether that property was given.
  public func has(_ name: String) -> Bool { properties.contains { $0.name == name } }

  /// The arguments of `device_add`: what was given, and of `defaults` what was not.
  ///
  /// A newer QEMU takes a value in its property's own JSON type only (7.2 takes text too), so `types`, from
  /// `device-list-properties`, says what each is. `bus`, which is no property, is text.
  public func arguments(
    identifier: String, netdev: String, defaults: [String: String], types: [String: String]
  ) throws(HypervisorError) -> [String: JSON] {
    var result: [String: JSON] = ["driver": .string(driver), "id": .string(identifier), "netdev": .string(netdev)]
    for (name, value) in defaults where !has(name) { result[name] = try Self.value(value, named: name, types) }
    for (name, value) in properties { result[name] = try Self.value(value, named: name, types) }
    return result
  }

  private static func value(
    _ text: String, named name: String, _ types: [String: String]
  ) throws(HypervisorError) -> JSON {
    guard let type = types[name] else { return .string(text) }
    if type == "bool" {
      switch text {
      case "on", "yes", "true", "y": return true
      case "off", "no", "false", "n": return false
      default: throw .badProperty("\(name) is on or off, and not '\(text)'")
      }
    }
    // addr is an int32 that takes a slot's text too ("06.0"): what is no plain number goes as it is.
    let isNumber = type.hasPrefix("int") || type.hasPrefix("uint") || type == "size"
    return isNumber ? Int(text).map(JSON.integer) ?? .string(text) : .string(text)
  }

  /// Equal word by word.
  public static func == (one: QemuDevice, other: QemuDevice) -> Bool {
    one.driver == other.driver && one.properties.elementsEqual(other.properties) { $0 == $1 }
  }
}
