import Testing

@testable import Hypervisor

@Suite struct JSONTests {
  private static let values: [(String, JSON)] = [
    ("null", JSON.null), ("true", true), (" 12 ", 12), ("-7", -7), ("\"a\\n\\u00e4\"", "a\nä"), ("[]", []),
    ("[1,[2],{}]", [1, [2], [:]]), ("{\"b\":null,\"a\":\"[{\"}", ["a": "[{", "b": .null]), ("1.5", .number(1.5)),
    ("\"\\\\\"", "\\"),
  ]

  @Test(arguments: values)
  func reads(_ text: String, _ value: JSON) throws {
    #expect(JSON(text.utf8) == value)
    #expect(JSON(value.bytes) == value)
  }

  @Test(arguments: ["", " ", "{", "[1,", "{\"a\"}", "nul", "'a'", "\"a", "1 2", "{\"a\":1}}", "\u{0}"])
  func refuses(_ text: String) {
    #expect(JSON(text.utf8) == nil)
  }

  @Test func refusesANestWithoutEnd() {
    let deep = { (count: Int) in
      String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }
    #expect(JSON(deep(64).utf8) != nil)
    #expect(JSON(deep(65).utf8) == nil)
    #expect(JSON(String(repeating: "[{\"a\":", count: 500_000).utf8) == nil)
    // Brackets in a string are text.
    #expect(JSON(("\"" + deep(100) + "\"").utf8) == .string(deep(100)))
  }

  @Test func isWrittenInOneOrder() {
    let value: JSON = ["b": 1, "a": ["x", true, .null], "path": "/a/b"]
    #expect(String(decoding: value.bytes, as: UTF8.self) == #"{"a":["x",true,null],"b":1,"path":"/a/b"}"#)
  }
}
