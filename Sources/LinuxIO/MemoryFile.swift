internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Memory as a file, to be shared by its descriptor.
public enum MemoryFile {
  /// memfd_create(2) and ftruncate(2): zeroes, none of which takes memory before it is touched.
  public static func create(_ name: String, byteCount: Int) throws(Errno) -> OwnedDescriptor {
    let file = try owned(unsafe mq_memfd_create(name))
    try check(ftruncate(file.rawValue, off_t(byteCount)))
    return file
  }
}
