import Glibc
import SystemPackage

/// A program that a test runs to its end.
enum ChildProcess {
  /// posix_spawnp(3) and waitpid(2): its exit code, or 128 and the signal that ended it.
  static func run(_ words: String...) throws -> CInt {
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var process = pid_t()
    let result = unsafe posix_spawnp(&process, words[0], nil, nil, &arguments, environ)
    guard result == 0 else { throw Errno(rawValue: result) }
    var status: CInt = 0
    while unsafe waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }
}
