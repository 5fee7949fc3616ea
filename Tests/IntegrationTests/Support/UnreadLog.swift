import Glibc
import LinuxIO
import SystemPackage
import Testing

@testable import DataPlane

/// What a program's standard error is.
enum UnreadEnd: CaseIterable, Sendable { case pipe, terminal, socket }

/// Somewhere for a program's standard error to go, where nobody reads it until the test does.
struct UnreadLog: ~Copyable {
  /// Before a program's words: what runs it so.
  let wrapper: [String]
  /// A pipe's or a terminal's reading end, or who listens for the program's connection.
  private var end: OwnedDescriptor
  private let kind: UnreadEnd

  init(_ kind: UnreadEnd, in folder: String) throws {
    let path = "\(folder)/log"
    let end =
      switch kind {
      case .pipe: try Self.pipe(path)
      case .terminal: try Self.owned(unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK))
      case .socket: try UnixStream.listen(at: path)
      }
    let wrapper =
      switch kind {
      case .pipe: Self.shell(path)
      case .terminal: Self.shell("/dev/pts/\(try Self.terminal(end))")
      case .socket: ["python3", "-c", Self.connect, path]
      }
    self.kind = kind
    self.wrapper = wrapper
    self.end = end
  }

  private static func shell(_ place: String) -> [String] { ["/bin/sh", "-c", "exec \"$@\" 2>\(place)", "sh"] }

  private static func pipe(_ path: String) throws -> OwnedDescriptor {
    try #require(unsafe mkfifo(path, 0o600) == 0)
    let end = try owned(unsafe open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK))
    // F_SETPIPE_SZ (linux/fcntl.h), which Glibc does not show.
    guard fcntl(end.rawValue, 1031, 4096) == 4096 else { throw Errno(rawValue: errno) }
    return end
  }

  /// unlockpt(3) and ptsname(3), which Glibc does not show: TIOCSPTLCK and TIOCGPTN of <asm-generic/ioctls.h>.
  private static func terminal(_ end: borrowing OwnedDescriptor) throws -> CInt {
    var number: CInt = 0
    guard unsafe ioctl(end.rawValue, 0x4004_5431, &number) == 0, unsafe ioctl(end.rawValue, 0x8004_5430, &number) == 0
    else { throw Errno(rawValue: errno) }
    return number
  }

  /// After the program was started.
  mutating func accept() throws {
    guard kind == .socket else { return }
    _ = try LinuxKernel().poll([end.descriptor], milliseconds: 20_000)
    end = try UnixStream.accept(on: end.descriptor)
    _ = fcntl(end.rawValue, F_SETFL, O_NONBLOCK)
  }

  /// What has come until now.
  func read() throws -> String {
    var text = ""
    while let bytes = try LinuxKernel().readFrame(from: end.descriptor, atMost: 4096), !bytes.isEmpty {
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }

  private static let connect = """
    import os, socket, sys
    log = socket.socket(socket.AF_UNIX)
    log.connect(sys.argv[1])
    os.dup2(log.fileno(), 2)
    os.execv(sys.argv[2], sys.argv[2:])
    """

  private static func owned(_ number: CInt) throws -> OwnedDescriptor {
    guard number >= 0 else { throw Errno(rawValue: errno) }
    return OwnedDescriptor(adopting: FileDescriptor(rawValue: number))
  }
}
