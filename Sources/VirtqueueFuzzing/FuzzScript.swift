/// An input, read from its start; 0 where it has ended.
internal struct FuzzScript {
  private var rest: ArraySlice<UInt8>

  init(_ input: [UInt8]) { rest = input[...] }

  /// The next step, of 16; nil at the end.
  mutating func step() -> UInt8? { rest.popFirst().map { $0 & 15 } }
  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
  mutating func word() -> UInt16 { UInt16(byte()) | UInt16(byte()) << 8 }
  mutating func bytes(_ count: Int) -> [UInt8] {
    let bytes = Array(rest.prefix(count))
    rest = rest.dropFirst(count)
    return bytes
  }
}
