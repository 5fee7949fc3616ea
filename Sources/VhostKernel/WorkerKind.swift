/// What runs a vhost device's work.
///
/// Up to Linux 6.3 a kernel thread; from 6.4 on a thread of the process that called VHOST_SET_OWNER, which dies with it
/// and counts against its RLIMIT_NPROC; where the kernel has CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL either, as the
/// descriptor was told by VHOST_SET_FORK_FROM_OWNER.
public enum WorkerKind: String, Sendable, Codable {
  /// A thread of the owner (VHOST_FORK_OWNER_TASK, 1).
  case task
  /// A kernel thread (VHOST_FORK_OWNER_KTHREAD, 0).
  case kthread

  /// The ioctl's byte.
  internal var forkFromOwner: UInt8 { self == .task ? 1 : 0 }
}
