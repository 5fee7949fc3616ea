/// The two things that JSON has and libyaml's YAML has not.
internal enum JSONEscapes {
  /// In a file that begins as JSON does, `\ud83d\ude00` becomes `\U0001f600` (YAML writes no surrogates) and a tab before
  /// the first brace a space (YAML indents by no tab). No line becomes another. A byte order mark goes from any file.
  internal static func rewritten(_ file: [UInt8]) -> [UInt8] {
    let bytes = file.starts(with: [0xEF, 0xBB, 0xBF]) ? file.dropFirst(3) : file[...]
    let blanks = " \t\r\n".utf8
    guard let first = bytes.firstIndex(where: { !blanks.contains($0) }), "{[".utf8.contains(bytes[first]) else {
      return Array(bytes)
    }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    result += bytes[..<first].map { $0 == UInt8(ascii: "\t") ? UInt8(ascii: " ") : $0 }
    var rest = bytes[first...]
    while let escape = rest.firstIndex(of: UInt8(ascii: "\\")) {
      result += rest[..<escape]
      rest = rest[escape...]
      if let high = unit(rest), (0xD800..<0xDC00).contains(high), let low = unit(rest.dropFirst(6)),
        (0xDC00..<0xE000).contains(low)
      {
        let digits = String(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00), radix: 16)
        result += "\\U\(String(repeating: "0", count: 8 - digits.utf8.count))\(digits)".utf8
        rest = rest.dropFirst(12)
      } else {
        // An escaped backslash escapes nothing.
        result += rest.prefix(2)
        rest = rest.dropFirst(2)
      }
    }
    return result + rest
  }

  /// The number of a `\uXXXX` at the beginning.
  private static func unit(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard bytes.count >= 6, bytes.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else { return nil }
    let digits = bytes.dropFirst(2).prefix(4)
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
