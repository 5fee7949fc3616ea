internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Locks on the bytes of a file (fcntl(2), POSIX record locks): each ends with the process that holds it, however that ends,
/// and the kernel knows who holds it.
public struct RecordLock: ~Copyable {
  private let file: OwnedDescriptor

  /// mkdir(2) of the file's folder and open(2), where it is not there: for this user alone, so that nobody else can hold a
  /// lock. `EACCES`, `EROFS`: not here.
  public init(file path: String) throws(Errno) {
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    if unsafe !folder.isEmpty && mkdir(folder, 0o755) != 0, errno != EEXIST { throw lastError() }
    file = try owned(unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600))
  }

  /// F_SETLK: takes the lock on one byte. Somebody else's process, if it is taken (F_GETLK); 0 for one in another PID
  /// namespace.
  public func tryTake(byte: UInt64) throws(Errno) -> Int? {
    while true {
      var lock = Self.lock(byte)
      if unsafe fcntl(file.rawValue, F_SETLK, &lock) == 0 { return nil }
      guard errno == EAGAIN || errno == EACCES else { throw lastError() }
      guard unsafe fcntl(file.rawValue, F_GETLK, &lock) == 0 else { throw lastError() }
      // Unless it was given up meanwhile.
      if lock.l_type != F_UNLCK { return Int(lock.l_pid) }
    }
  }

  /// F_SETLKW: waits for it.
  public func take(byte: UInt64) throws(Errno) {
    var lock = Self.lock(byte)
    while unsafe fcntl(file.rawValue, F_SETLKW, &lock) != 0 {
      guard errno == EINTR else { throw lastError() }
    }
  }

  private static func lock(_ byte: UInt64) -> flock {
    flock(
      l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: off_t(clamping: byte), l_len: 1, l_pid: 0)
  }
}
