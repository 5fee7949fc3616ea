internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Calls that change this process as a whole.
public enum ProcessControl {
  /// getpid(2).
  public static var processID: Int { Int(getpid()) }

  /// gettid(2): the calling thread's number, which is the process's on its first thread only.
  public static var threadID: Int { Int(mq_gettid()) }

  /// geteuid(2).
  public static var effectiveUser: UInt32 { geteuid() }

  /// setgroups(2), setgid(2), setuid(2), in that order, for good. Needs CAP_SETGID and CAP_SETUID, or to change
  /// nothing.
  public static func become(_ user: UserDatabase.User) throws(Errno) {
    var groups = user.groups
    try check(unsafe setgroups(groups.count, &groups))
    try check(setgid(user.group))
    try check(setuid(user.id))
  }

  /// prctl(PR_SET_NO_NEW_PRIVS): no exec gives privileges any more, whatever bits the file has.
  public static func setNoNewPrivileges() throws(Errno) {
    try check(mq_set_no_new_privs())
  }

  /// Moves the descriptors to 3, 4, … in this order (dup2(2)), then close_range(2) of all that follow: the program that is
  /// executed next inherits 0, 1, 2 and exactly these. None may be given twice.
  ///
  /// In place, so that a limit on open files need not hold them twice. On failure some stand at their new number already;
  /// the caller is about to give up anyway.
  public static func arrangeInherited(_ descriptors: [FileDescriptor]) throws(Errno) {
    let first: CInt = 3
    var sources = descriptors.map(\.rawValue)
    for index in sources.indices {
      let target = first + CInt(index)
      if sources[index] == target {
        // Where it is to be; dup2 would leave CLOEXEC on it.
        try check(fcntl(target, F_SETFD, 0))
        continue
      }
      // One that comes later may have the number: out of the way, to any number that is none of the wanted.
      if let other = sources[(index + 1)...].firstIndex(of: target) {
        sources[other] = try check(mq_fcntl_dup_from(target, first + CInt(sources.count)))
      }
      try check(dup2(sources[index], target))
      // Its old number is needed no more, unless it is one that has its final descriptor already.
      if sources[index] > target { close(sources[index]) }
    }
    try check(mq_close_range(UInt32(first) + UInt32(sources.count), .max))
  }

  /// close_range(2) of this number and all above: what a careless parent has left open is nothing to a service.
  public static func closeDescriptors(from first: Int) throws(Errno) {
    try check(mq_close_range(UInt32(first), .max))
  }

  /// dup2(2): what is written to `target`, such as standard error, goes to `descriptor`.
  public static func redirect(_ target: FileDescriptor, to descriptor: FileDescriptor) throws(Errno) {
    try check(dup2(descriptor.rawValue, target.rawValue))
  }

  /// mallopt(3), M_ARENA_MAX: all threads to come allocate from one heap. By itself each gets one of its own, 64 MiB of address
  /// space, and the ninth has the C library count the processors by a file in /sys.
  public static func shareOneHeap() { mq_share_one_heap() }

  /// setenv(3).
  public static func setEnvironment(_ name: String, to value: String) throws(Errno) {
    try check(unsafe setenv(name, value, 1))
  }

  /// getenv(3).
  public static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// execvp(3): returns only to throw.
  public static func execute(_ words: [String]) throws(Errno) -> Never {
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    guard let program = unsafe arguments[0] else { throw .invalidArgument }
    unsafe execvp(program, &arguments)
    throw lastError()
  }

  /// getrlimit(2): the soft limit on open files (RLIMIT_NOFILE) and on this user's threads (RLIMIT_NPROC); nil for none.
  public static func limit(_ resource: Resource) -> UInt64? {
    var limit = rlimit()
    let number: __rlimit_resource_t = resource == .openFiles ? MQ_RLIMIT_NOFILE : MQ_RLIMIT_NPROC
    guard unsafe getrlimit(number, &limit) == 0, limit.rlim_cur != rlim_t.max else { return nil }
    return UInt64(limit.rlim_cur)
  }

  /// setrlimit(2): as many open files as the hard limit lets this process have. The soft one is 1024 nearly everywhere, for the
  /// sake of programs that use select(2).
  public static func raiseOpenFileLimit() throws(Errno) {
    var limit = rlimit()
    let number: __rlimit_resource_t = MQ_RLIMIT_NOFILE
    try check(unsafe getrlimit(number, &limit))
    guard limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    try check(unsafe setrlimit(number, &limit))
  }

  /// What ``limit(_:)`` is asked of.
  public enum Resource: Sendable {
    /// RLIMIT_NOFILE.
    case openFiles
    /// RLIMIT_NPROC.
    case threads
  }

  /// access(2): whether this process may read and write a path.
  public static func mayReadAndWrite(_ path: String) throws(Errno) {
    try check(unsafe access(path, R_OK | W_OK))
  }

  /// pidfd_open(2) and pidfd_getfd(2): a copy of another process's descriptor. Needs ptrace rights over it.
  public static func copy(descriptor: Int, ofProcess process: Int) throws(Errno) -> OwnedDescriptor {
    let handle = try owned(mq_pidfd_open(CInt(process)))
    return try owned(mq_pidfd_getfd(handle.rawValue, CInt(descriptor)))
  }
}

extension ProcessControl {
  /// flock(2) of another process's `/proc/PID/fd`, which nobody but its user and root may open: one program at a time works
  /// on that process, and the lock ends with either. `ETIMEDOUT` if it was not free until `end`.
  public static func lock(process: Int, until end: ContinuousClock.Instant) throws(Errno) -> OwnedDescriptor {
    let folder = try owned(unsafe Glibc.open("/proc/\(process)/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    while flock(folder.rawValue, LOCK_EX | LOCK_NB) < 0 {
      let error = lastError()
      guard error == .resourceTemporarilyUnavailable || error == .interrupted else { throw error }
      guard ContinuousClock.now < end else { throw .timedOut }
      _ = Glibc.poll(nil, 0, 20)
    }
    return folder
  }

  /// errno(3), for a C library's call that has just failed.
  public static var lastErrno: CInt { errno }

  /// open(2) of /dev/null on each of 0, 1, 2 that is closed, so that no descriptor of ours is taken for one of them.
  public static func ensureStandardDescriptors() {
    for number: CInt in 0...2 where fcntl(number, F_GETFD) < 0 {
      _ = unsafe Glibc.open("/dev/null", O_RDWR)
    }
  }
}
