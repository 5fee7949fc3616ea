import CLinuxUAPI
import Glibc
import LinuxIO
import Orchestrator
import SystemPackage
import Testing

/// What a server may still ask of the kernel, each in a process of one thread: others would be held to the list as well.
@Suite struct SyscallFilterTests {
  /// SIGSYS ends a process at the first call that is not allowed.
  @Test func openingAFile() throws {
    #expect(
      try Self.ending(of: .vhost) {
        _ = unsafe open("/dev/null", O_RDONLY)
      } == .signal(SIGSYS))
  }

  @Test func anotherKindOfSocket() throws {
    #expect(
      try Self.ending(of: .threads) {
        _ = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
      } == .signal(SIGSYS))
  }

  @Test func aTerminalsIoctl() throws {
    #expect(
      try Self.ending(of: .vhost) {
        _ = isatty(1)
      } == .signal(SIGSYS))
  }

  @Test func vhostWhereThreadsMoveTheFrames() throws {
    #expect(
      try Self.ending(of: .threads) {
        _ = mq_ioctl(-1, MQ_VHOST_SET_OWNER, 0)
      } == .signal(SIGSYS))
  }

  @Test func executableMemory() throws {
    #expect(
      try Self.ending(of: .vhost) {
        _ = unsafe mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      } == .signal(SIGSYS))
  }

  @Test func anotherProgram() throws {
    #expect(
      try Self.ending(of: .vhost) {
        try ProcessControl.execute(["true"])
      } == .signal(SIGSYS))
  }

  /// What a server does all day.
  @Test func whatIsAllowed() throws {
    let ending = try Self.ending(of: .vhost) {
      let kernel = LinuxKernel()
      _ = try kernel.poll([], milliseconds: 1)
      let memory = try kernel.mmap(byteCount: 1 << 20)
      _ = unsafe memory.baseAddress.load(as: UInt8.self)
      ServiceManager.notify("STOPPING=1")
      // EBADF, from the kernel itself.
      guard mq_ioctl(-1, MQ_VHOST_SET_OWNER, 0) == -1, mq_ioctl(-1, MQ_TUNSETQUEUE, 0) == -1 else {
        throw Errno.badFileDescriptor
      }
    }
    #expect(ending == .code(0))
  }

  /// How a process ends that does this behind the list.
  private static func ending(
    of mover: SyscallFilter.Mover, _ body: () throws -> Void
  ) throws -> ForkedProcess.Ending {
    var process = try ForkedProcess {
      do {
        unsafe setenv("NOTIFY_SOCKET", "@nobody-listens-here", 1)
        try ProcessControl.setNoNewPrivileges()
        try SyscallFilter.install(for: mover)
        try body()
        return 0
      } catch {
        return 1
      }
    }
    return process.wait()
  }
}
