/// Reads numbers off a payload, one after the other. Whoever uses it has checked the length; what is missing reads as
/// 0.
internal struct PayloadReader {
  private var rest: ArraySlice<UInt8>

  internal init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  internal mutating func bytes(_ count: Int) -> [UInt8] {
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }

  internal mutating func u32() -> UInt32 { number() }

  internal mutating func u64() -> UInt64 { number() }

  private mutating func number<Number: FixedWidthInteger>() -> Number {
    var value: Number = 0
    for position in 0..<(Number.bitWidth / 8) {
      guard let byte = rest.popFirst() else { break }
      value |= Number(truncatingIfNeeded: byte) << Number(truncatingIfNeeded: 8 * position)
    }
    return value
  }
}

/// Writes numbers to a payload, one after the other.
internal struct PayloadWriter {
  internal private(set) var bytes: [UInt8] = []

  internal mutating func bytes(_ more: [UInt8]) { bytes += more }

  internal mutating func u16(_ value: UInt16) { number(value) }

  internal mutating func u32(_ value: UInt32) { number(value) }

  internal mutating func u64(_ value: UInt64) { number(value) }

  private mutating func number<Number: FixedWidthInteger>(_ value: Number) {
    for position in 0..<(Number.bitWidth / 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Number(truncatingIfNeeded: 8 * position)))
    }
  }
}
