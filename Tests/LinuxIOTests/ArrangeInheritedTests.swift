import CLinuxUAPI
import Foundation
import LinuxIO
import SystemPackage
import Testing

@Suite struct ArrangeInheritedTests {
  /// The files that are wanted stand where others are to go: in each other's place, in a circle, and far above.
  @Test func overlappingNumbersEndWhereTheyShould() async throws {
    try await Self.withDescriptorsOfItsOwn {
      let files = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random"]
      // Above whatever this process has open, and in no order.
      var opened: [FileDescriptor] = []
      for name in files.reversed() { opened.append(try LinuxKernel().open(name, nonBlocking: false).release()) }
      try Self.arrange(opened.reversed(), expecting: files)
      // Now they are 3 to 6 exactly.
      func numbers(_ numbers: CInt...) -> [FileDescriptor] { numbers.map { FileDescriptor(rawValue: $0) } }
      try Self.arrange(numbers(4, 3, 5, 6), expecting: ["/dev/zero", "/dev/null", "/dev/full", "/dev/random"])
      try Self.arrange(numbers(6, 3, 4, 5), expecting: ["/dev/random", "/dev/zero", "/dev/null", "/dev/full"])
      try Self.arrange(numbers(6, 4), expecting: ["/dev/full", "/dev/zero"])
      var refusal: Errno?
      do throws(Errno) {
        try ProcessControl.arrangeInherited(numbers(3, 999))
      } catch {
        refusal = error
      }
      guard refusal == .badFileDescriptor else { throw Unexpected(description: "999 is taken") }
      try Self.arrange([], expecting: [])
    }
  }

  /// Arranges, and checks that beside 0, 1 and 2 there are exactly these files, and that they outlive exec(2).
  private static func arrange(_ descriptors: [FileDescriptor], expecting files: [String]) throws {
    try ProcessControl.arrangeInherited(descriptors)
    let open = try FileTree.entries(of: "/proc/thread-self/fd").compactMap(Int.init).filter {
      // The folder's own is closed by now.
      (try? FileTree.linkTarget(of: "/proc/thread-self/fd/\($0)")) != nil
    }
    guard open.sorted() == Array(0..<3 + files.count) else { throw Unexpected(description: "open are \(open)") }
    for (offset, file) in files.enumerated() {
      let target = try FileTree.linkTarget(of: "/proc/thread-self/fd/\(3 + offset)")
      guard target == file else { throw Unexpected(description: "\(3 + offset) is \(target)") }
      let info = try FileTree.text(of: "/proc/thread-self/fdinfo/\(3 + offset)")
      let flags = info.split(separator: "\n").first { $0.hasPrefix("flags:") }?.split(separator: "\t").last ?? ""
      guard let bits = Int(flags, radix: 8), bits & 0o2_000_000 == 0 else {
        throw Unexpected(description: "\(3 + offset) is closed on exec")
      }
    }
  }

  /// Runs on a thread that shares its table of descriptors with no other (unshare(2), CLONE_FILES): all of them may be
  /// closed there, and the rest of the process keeps its own.
  private static func withDescriptorsOfItsOwn(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      Thread {
        continuation.resume(
          with: Result {
            guard mq_unshare(0x400) == 0 else { throw Unexpected(description: "unshare of CLONE_FILES") }
            try body()
          })
      }.start()
    }
  }

  private struct Unexpected: Error, CustomStringConvertible {
    let description: String
  }
}
