public import TapMQ

/// Words of QEMU's command line.
public enum QemuWords {
  /// An id that QEMU takes (`id_wellformed`): a letter, then letters, digits and `-._`.
  public static func identifier(for interface: String) -> String {
    let isGood = interface.utf8.enumerated().allSatisfy { offset, byte in
      switch byte {
      case 0x41...0x5A, 0x61...0x7A: true
      case 0x30...0x39, 0x2D, 0x2E, 0x5F: offset > 0
      default: false
      }
    }
    return isGood ? interface : "net0"
  }

  /// A value in a list that commas part: a comma of its own is doubled (`opts_parse`).
  public static func escape(_ value: String) -> String {
    value.reduce(into: "") { $0 += $1 == "," ? ",," : String($1) }
  }

  /// `virtio-net-pci` with `pairs` queue pairs: `mq=on` from two on, and 2N + 2 MSI-X vectors (a ring each,
  /// configuration changes, the control queue).
  public static func device(identifier: String, pairs: Int, mac: MACAddress?) -> String {
    "virtio-net-pci,netdev=\(identifier)" + (mac.map { ",mac=\($0)" } ?? "")
      + (pairs > 1 ? ",mq=on,vectors=\(2 * pairs + 2)" : "")
  }
}
