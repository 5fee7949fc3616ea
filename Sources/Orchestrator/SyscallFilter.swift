internal import CLinuxUAPI
internal import CSeccomp
internal import LinuxIO
internal import SystemPackage

/// seccomp(2), by libseccomp: the system calls that a server of front ends may make once it stands, and no other.
///
/// It has all descriptors that it will ever open by itself: no file is opened any more, no program executed, no process
/// looked at, no memory made executable, no socket but a local one. What remains of ioctl(2) is vhost's and five of tun's.
///
/// A call that is not allowed ends the process (SECCOMP_RET_KILL_PROCESS). There is no honest one: it is a mistake here,
/// which a test is to see, or somebody else's code in this process, which must not get a second try. The kernel then
/// takes rings, queues and memory down, as after `kill -9`.
public enum SyscallFilter {
  /// Who moves the frames of a server.
  public enum Mover: Sendable {
    /// The kernel's vhost-net.
    case vhost
    /// Threads of this process.
    case threads
  }

  /// For all threads of this process (TSYNC), for good. Whatever threads are needed must be there. Needs no_new_privs.
  ///
  /// Errors: EINVAL or ENOSYS from a kernel without CONFIG_SECCOMP_FILTER.
  public static func install(for mover: Mover) throws(Privileges.Failure) {
    guard let filter = unsafe seccomp_init(SCMP_ACT_KILL_PROCESS) else { throw .init("seccomp_init", .noMemory) }
    defer { unsafe seccomp_release(filter) }
    for (attribute, value) in [
      (SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), (SCMP_FLTATR_CTL_TSYNC, 1), (SCMP_FLTATR_CTL_NNP, 0),
    ] {
      try unsafe check("seccomp_attr_set", seccomp_attr_set(filter, attribute, value))
    }
    for call in serving + (mover == .threads ? moving : []) { try unsafe allow(call, in: filter) }
    // Not with PROT_EXEC.
    for call in ["mmap", "mprotect"] { try unsafe allow(call, 2, mask: UInt64(PROT_EXEC), value: 0, in: filter) }
    try unsafe allow("socket", 0, mask: .max, value: UInt64(AF_UNIX), in: filter)
    // The kernel takes the lower 32 bits of a request.
    for request in tapRequests { try unsafe allow("ioctl", 1, mask: 0xFFFF_FFFF, value: UInt64(request), in: filter) }
    if mover == .vhost { try unsafe allow("ioctl", 1, mask: 0xFF00, value: UInt64(VHOST_VIRTIO) << 8, in: filter) }
    if mover == .threads { try unsafe allow("prctl", 0, mask: 0xFFFF_FFFF, value: UInt64(PR_SET_NAME), in: filter) }
    try unsafe check("seccomp_load", seccomp_load(filter))
  }

  /// What any server calls: the conversation, mapped memory, its log on standard error, sd_notify(3), the socket's end; and
  /// what the C library and Swift's runtime call for it.
  private static let serving = [
    "accept4", "close", "fcntl", "fstat", "fstatfs", "newfstatat", "poll", "ppoll", "read", "recvmsg", "sendmsg",
    "sendto", "stat", "unlink", "unlinkat", "write",
    "brk", "madvise", "mremap", "munmap",
    "clock_gettime", "exit", "exit_group", "futex", "getpid", "getrandom", "gettid", "gettimeofday", "restart_syscall",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield",
  ]

  /// What threads that move frames call beside that, from their first steps to their last.
  private static let moving = [
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "readv", "rseq", "sched_getaffinity", "set_robust_list",
    "tgkill", "writev",
  ]

  /// What ``DataPlane`` asks of a tap queue that is open.
  private static let tapRequests = [
    MQ_TUNSETQUEUE, MQ_TUNSETCARRIER, MQ_TUNSETOFFLOAD, MQ_TUNSETVNETHDRSZ, MQ_TUNGETVNETHDRSZ,
  ]

  /// A call that this architecture does not have is none that could be made.
  private static func allow(_ call: String, in filter: scmp_filter_ctx) throws(Privileges.Failure) {
    try unsafe check(
      "seccomp_rule_add(\(call))",
      seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(call), 0, nil))
  }

  /// Where the masked argument of that number has that value.
  private static func allow(
    _ call: String, _ argument: UInt32, mask: UInt64, value: UInt64, in filter: scmp_filter_ctx
  ) throws(Privileges.Failure) {
    var comparison = scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
    try unsafe check(
      "seccomp_rule_add(\(call))",
      seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(call), 1, &comparison))
  }

  /// libseccomp returns the errno, negative.
  private static func check(_ call: String, _ result: CInt) throws(Privileges.Failure) {
    guard result == 0 else { throw .init(call, Errno(rawValue: -result)) }
  }
}
