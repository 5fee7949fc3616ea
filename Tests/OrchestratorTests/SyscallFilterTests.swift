import CLinuxUAPI
import Glibc
import LinuxIO
import Orchestrator
import Testing

/// What a server may still ask of the kernel, each in a process that ends with it.
@Suite struct SyscallFilterTests {
  /// SIGSYS ends a process at the first call that is not allowed.
  @Test func openingAFile() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .vhost)
      _ = unsafe open("/dev/null", O_RDONLY)
    }
  }

  @Test func anotherKindOfSocket() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .threads)
      _ = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
    }
  }

  @Test func aTerminalsIoctl() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .vhost)
      _ = isatty(1)
    }
  }

  @Test func vhostWhereThreadsMoveTheFrames() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .threads)
      _ = mq_ioctl(-1, MQ_VHOST_SET_OWNER, 0)
    }
  }

  @Test func executableMemory() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .vhost)
      _ = unsafe mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    }
  }

  @Test func anotherProgram() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      try Self.confine(to: .vhost)
      try ProcessControl.execute(["true"])
    }
  }

  /// What a server does all day.
  @Test func whatIsAllowed() async {
    await #expect(processExitsWith: .success) {
      try Self.confine(to: .vhost)
      let kernel = LinuxKernel()
      _ = try kernel.poll([], milliseconds: 1)
      let memory = try kernel.mmap(byteCount: 1 << 20)
      _ = unsafe memory.baseAddress.load(as: UInt8.self)
      ServiceManager.notify("STOPPING=1")
      // EBADF, from the kernel itself.
      guard mq_ioctl(-1, MQ_VHOST_SET_OWNER, 0) == -1, mq_ioctl(-1, MQ_TUNSETQUEUE, 0) == -1 else { _exit(1) }
      _exit(0)
    }
  }

  private static func confine(to mover: SyscallFilter.Mover) throws {
    unsafe setenv("NOTIFY_SOCKET", "@nobody-listens-here", 1)
    try ProcessControl.setNoNewPrivileges()
    try SyscallFilter.install(for: mover)
  }
}
