/// What the kernel does not keep of a tap, kept in its link's alias (IFLA_IFALIAS), so that it dies with the device:
/// `mqctl pairs=8`, and `backpressure` behind it where that was asked for (no netlink attribute tells).
public struct DeviceRecord: Sendable, Equatable {
  /// The queue pairs that were asked for.
  public let pairs: Int
  /// Whether the device was made with IFF_BACKPRESSURE.
  public let backpressure: Bool

  /// Of a device that this program makes.
  public init(pairs: Int, backpressure: Bool = false) {
    self.pairs = pairs
    self.backpressure = backpressure
  }

  /// Reads an alias; nil if it is not one of ours, word for word.
  public init?(alias: String?) {
    guard let alias else { return nil }
    var words = alias.split(separator: " ", omittingEmptySubsequences: false)
    let backpressure = words.last == "backpressure"
    if backpressure { words.removeLast() }
    guard words.count == 2, words[0] == "mqctl", words[1].hasPrefix("pairs="),
      let pairs = Int(words[1].dropFirst("pairs=".count)), DeviceSpec.pairRange.contains(pairs)
    else { return nil }
    self.init(pairs: pairs, backpressure: backpressure)
  }

  /// The alias.
  public var alias: String { "mqctl pairs=\(pairs)" + (backpressure ? " backpressure" : "") }
}
