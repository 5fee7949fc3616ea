internal import CLinuxUAPI
public import SystemPackage

/// Moves the calling thread between network namespaces.
///
/// A namespace belongs to a thread, not to the process: nothing but the caller moves, and what it starts from then on. A
/// thread that Swift's own pool lends out must never call this. Descriptors stay in the namespace they were opened in.
public enum NetworkNamespace {
  /// unshare(2) with CLONE_NEWNET: the calling thread goes to a new namespace, which holds a `lo` that is down and lives
  /// while a thread or a descriptor of it does. Needs CAP_SYS_ADMIN; `EPERM` without, `ENOSPC` past
  /// `/proc/sys/user/max_net_namespaces`.
  public static func enterNew() throws(Errno) {
    try check(mq_unshare(CInt(MQ_CLONE_NEWNET)))
  }

  /// setns(2): the calling thread goes to the namespace that `descriptor` stands for, an open `/proc/<pid>/ns/net`, a
  /// name under `/run/netns` or a pidfd. Needs CAP_SYS_ADMIN here and over that namespace; `EPERM` without, `EINVAL`
  /// where the descriptor is of another kind.
  public static func enter(_ descriptor: FileDescriptor) throws(Errno) {
    try check(mq_setns(descriptor.rawValue, CInt(MQ_CLONE_NEWNET)))
  }
}
