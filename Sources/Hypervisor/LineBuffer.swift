/// Bytes of a stream, given back line by line.
public struct LineBuffer: Sendable {
  /// The longest line that is waited for. QEMU's longest answer that is asked for here, a driver's properties, has some
  /// ten thousand bytes.
  public static let maximumLine = 1 << 20

  private var bytes: [UInt8] = []
  private var searched = 0

  /// Nothing yet.
  public init() {}

  /// Whether there is more than a line may have, and no end of it.
  public var isOverfull: Bool { bytes.count > Self.maximumLine }

  /// Takes what came.
  public mutating func append(_ more: [UInt8]) { bytes += more }

  /// The first line, without its end (`\n`, or `\r\n`, as QMP has it); nil if there is no whole line yet.
  public mutating func next() -> [UInt8]? {
    guard let end = bytes[searched...].firstIndex(of: 0x0A) else {
      searched = bytes.count
      return nil
    }
    var line = Array(bytes[..<end])
    if line.last == 0x0D { line.removeLast() }
    bytes.removeSubrange(...end)
    searched = 0
    return line
  }
}
