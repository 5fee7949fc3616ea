import LinuxIO
import SystemPackage
import Testing

@Suite struct ArrangeInheritedTests {
  /// The files that are wanted stand where others are to go: 3 and 4 in each other's place, 5 and 6 likewise.
  @Test func overlappingNumbersEndWhereTheyShould() async {
    await #expect(processExitsWith: .success) { try ArrangeInheritedTests.arrange() }
  }

  private static func arrange() throws {
    let names = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random"]
    // Whatever this process has above 2 may go.
    var opened: [FileDescriptor] = []
    for name in names { opened.append(try LinuxKernel().open(name, nonBlocking: false).release()) }
    try ProcessControl.arrangeInherited(opened)
    try expectExactly(names)
    // Now they are 3 to 6 exactly.
    func number(_ number: CInt) -> FileDescriptor { FileDescriptor(rawValue: number) }
    try ProcessControl.arrangeInherited([number(4), number(3), number(6), number(5)])
    try expectExactly(["/dev/zero", "/dev/null", "/dev/random", "/dev/full"])
    try ProcessControl.arrangeInherited([number(6), number(0)])
    try expectExactly(["/dev/full", (try? FileTree.linkTarget(of: "/proc/self/fd/0")) ?? "?"])
    var refusal: Errno?
    do {
      try ProcessControl.arrangeInherited([number(3), number(999)])
    } catch {
      refusal = error
    }
    guard refusal == .badFileDescriptor else { throw Unexpected(description: "999 is taken") }
    try ProcessControl.arrangeInherited([])
    try expectExactly([])
  }

  /// 0, 1, 2 and from 3 on exactly these files, all of which outlive exec(2). Thrown, not expected: the descriptor by which
  /// an exit test tells of its issues is closed as well.
  private static func expectExactly(_ files: [String]) throws {
    let numbers = try FileTree.entries(of: "/proc/self/fd").compactMap(Int.init).sorted()
    let open = numbers.filter { (try? FileTree.linkTarget(of: "/proc/self/fd/\($0)")) != nil }
    guard open == Array(0..<3 + files.count) else { throw Unexpected(description: "open are \(open)") }
    for (offset, file) in files.enumerated() {
      let target = try FileTree.linkTarget(of: "/proc/self/fd/\(3 + offset)")
      guard target == file else { throw Unexpected(description: "\(3 + offset) is \(target)") }
      let info = try FileTree.text(of: "/proc/self/fdinfo/\(3 + offset)")
      let flags = info.split(separator: "\n").first { $0.hasPrefix("flags:") }?.split(separator: "\t").last ?? ""
      guard let bits = Int(flags, radix: 8), bits & 0o2_000_000 == 0 else {
        throw Unexpected(description: "\(3 + offset) is closed on exec")
      }
    }
  }

  private struct Unexpected: Error, CustomStringConvertible {
    let description: String
  }
}
