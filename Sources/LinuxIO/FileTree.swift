internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Reading the small files, folders and links of /proc, /sys and /etc.
public enum FileTree {
  /// readdir(3): the names in a folder, without `.` and `..`, in no order.
  public static func entries(of path: String) throws(Errno) -> [String] {
    guard let folder = unsafe opendir(path) else { throw lastError() }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// read(2) of a whole file up to `limit` bytes, as text without trailing white space.
  public static func text(of path: String, limit: Int = 1 << 16) throws(Errno) -> String {
    let bytes = try bytes(of: path, limit: limit)
    let end = bytes.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? 0
    return String(decoding: bytes[..<end], as: UTF8.self)
  }

  /// read(2) of a whole file up to `limit` bytes.
  public static func bytes(of path: String, limit: Int) throws(Errno) -> [UInt8] {
    let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    let file = try owned(number)
    var bytes: [UInt8] = []
    var count = 0
    while count < limit {
      // Most files there are short: the buffer grows with those that are not.
      if count == bytes.count { bytes += [UInt8](repeating: 0, count: min(max(4096, count), limit - count)) }
      let room = bytes.count - count
      let step = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(file.rawValue, buffer.baseAddress! + count, room)
      }
      guard step >= 0 else { throw lastError() }
      guard step > 0 else { break }
      count += step
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// readlink(2).
  public static func linkTarget(of path: String) throws(Errno) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe readlink(path, buffer.baseAddress!, buffer.count)
    }
    guard count >= 0 else { throw lastError() }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// stat(2): the device and inode, which tell two namespaces or files apart.
  public static func identity(of path: String) throws(Errno) -> FileIdentity {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw lastError() }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// statx(2): which character device a path leads to, whatever it is called there; `ENODEV` for anything else. The server of a
  /// network file system is not asked.
  public static func characterDevice(of path: String) throws(Errno) -> DeviceNumber {
    var major: UInt32 = 0
    var minor: UInt32 = 0
    try check(unsafe mq_character_device(path, &major, &minor))
    return DeviceNumber(major: major, minor: minor)
  }

  /// lstat(2): who may use a socket. `ENOTSOCK` for anything else.
  public static func socketAccess(of path: String) throws(Errno) -> SocketAccess {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { throw lastError() }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notSocket }
    return SocketAccess(mode: status.st_mode & 0o777, owner: status.st_uid, group: status.st_gid)
  }

  /// fstat(2): likewise of an open descriptor.
  public static func identity(of descriptor: FileDescriptor) throws(Errno) -> FileIdentity {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else { throw lastError() }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }
}

/// Who may use a socket in the file system.
public struct SocketAccess: Sendable, Equatable {
  /// The permissions.
  public let mode: UInt32
  /// Whose it is.
  public let owner: UInt32
  /// Its group.
  public let group: UInt32
}

/// A device's number: what it is, in whichever file system and under whatever name its node is.
public struct DeviceNumber: Hashable, Sendable {
  /// Which driver.
  public let major: UInt32
  /// Which of its devices.
  public let minor: UInt32

  /// As in the kernel's Documentation/admin-guide/devices.txt.
  public init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }
}

/// What makes a file that file.
public struct FileIdentity: Hashable, Sendable {
  /// `st_dev`.
  public let device: UInt64
  /// `st_ino`.
  public let inode: UInt64
}

extension FileTree {
  /// fstat(2): a file's length in bytes.
  public static func byteCount(of descriptor: FileDescriptor) throws(Errno) -> UInt64 {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else { throw lastError() }
    return UInt64(clamping: status.st_size)
  }

  /// fstat(2) and fstatfs(2): the page size of a regular file whose pages are memory, that is on tmpfs, where memfds are
  /// too, or hugetlbfs; nil for any other.
  public static func memoryPageSize(of descriptor: FileDescriptor) throws(Errno) -> UInt64? {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else { throw lastError() }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    var type = 0
    var block = 0
    guard unsafe mq_fstatfs(descriptor.rawValue, &type, &block) == 0 else { throw lastError() }
    switch type {
    case 0x0102_1994: return 4096  // TMPFS_MAGIC
    case 0x9584_58F6: return UInt64(clamping: block)  // HUGETLBFS_MAGIC
    default: return nil
    }
  }
}

extension FileTree {
  /// A path that means the same in a process with another working directory (getcwd(3)).
  public static func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/"), let start = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(start) }
    return unsafe String(cString: start) + "/" + path
  }
}
