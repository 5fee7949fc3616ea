internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// A child that runs code of this program (fork(2)), and that does not outlive this value or this process.
///
/// Only for a process of one thread: the child has no other, and whatever lock another thread held would be held for ever.
public struct ForkedProcess: ~Copyable {
  /// Its process id.
  public let processID: Int
  private let handle: OwnedDescriptor
  private var ending: Ending?

  /// How a child ended.
  public enum Ending: Sendable, Equatable, CustomStringConvertible {
    /// exit(3).
    case code(Int32)
    /// A signal.
    case signal(Int32)

    /// Such as `exit code 1`.
    public var description: String {
      switch self {
      case .code(let code): "exit code \(code)"
      case .signal(let signal): "signal \(signal)"
      }
    }
  }

  /// fork(2), and prctl(PR_SET_PDEATHSIG) in the child: it is killed when the calling thread ends, however that may be.
  /// The child runs `body` and then ends by _exit(2) with what it returns.
  public init(_ body: () -> Int32) throws(Errno) {
    let parent = getpid()
    let process = try check(mq_fork())
    if process == 0 {
      guard mq_die_with(parent) == 0 else { _exit(1) }
      _exit(body())
    }
    let handle: OwnedDescriptor
    do throws(Errno) {
      handle = try owned(mq_pidfd_open(process))
    } catch {
      Glibc.kill(process, SIGKILL)
      waitpid(process, nil, 0)
      throw error
    }
    self.init(process, handle)
  }

  private init(_ process: pid_t, _ handle: consuming OwnedDescriptor) {
    processID = Int(process)
    self.handle = handle
  }

  /// Readable once it has ended (pidfd_open(2)).
  public var descriptor: FileDescriptor { handle.descriptor }

  /// waitpid(2) without waiting: how it ended; nil while it runs.
  public mutating func poll() -> Ending? { reap(WNOHANG) }

  /// waitpid(2).
  public mutating func wait() -> Ending { reap(0) ?? .code(0) }

  /// kill(2).
  public func signal(_ number: Int32) {
    if ending == nil { Glibc.kill(pid_t(processID), number) }
  }

  private mutating func reap(_ options: CInt) -> Ending? {
    if ending == nil {
      var status: CInt = 0
      var result: pid_t = 0
      repeat { result = unsafe waitpid(pid_t(processID), &status, options) } while result < 0 && errno == EINTR
      if result == pid_t(processID) {
        ending = status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
      }
    }
    return ending
  }

  deinit {
    guard ending == nil else { return }
    Glibc.kill(pid_t(processID), SIGKILL)
    while waitpid(pid_t(processID), nil, 0) < 0, errno == EINTR {}
  }
}
