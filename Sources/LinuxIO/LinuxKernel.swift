internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// The kernel that this process runs on. Stateless; each method is the call that ``KernelInterface`` names.
public struct LinuxKernel: KernelInterface {
  /// There is but one.
  public init() {}

  /// open(2).
  public func open(_ path: String, nonBlocking: Bool) throws(Errno) -> OwnedDescriptor {
    let flags = O_RDWR | O_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0)
    return try owned(unsafe Glibc.open(path, flags))
  }

  /// ioctl(2) with a pointer.
  public func ioctl(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, _ argument: UnsafeMutableRawPointer?
  ) throws(Errno) -> CInt {
    try check(mq_ioctl(descriptor.rawValue, request.number, UInt(bitPattern: argument)))
  }

  /// ioctl(2) with a number.
  public func ioctl(_ descriptor: FileDescriptor, _ request: IoctlRequest, value: UInt) throws(Errno) -> CInt {
    try check(mq_ioctl(descriptor.rawValue, request.number, value))
  }

  /// eventfd(2).
  public func eventfd() throws(Errno) -> OwnedDescriptor {
    try owned(mq_eventfd())
  }

  /// mmap(2).
  public func mmap(byteCount: Int) throws(Errno) -> SharedMapping {
    let address = unsafe Glibc.mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else { throw lastError() }
    return unsafe SharedMapping(adopting: address, byteCount: byteCount)
  }

  /// mmap(2).
  public func mmap(_ file: FileDescriptor, offset: UInt64, byteCount: Int) throws(Errno) -> SharedMapping {
    let address = unsafe Glibc.mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.rawValue, off_t(clamping: offset))
    guard let address = unsafe address, unsafe address != MAP_FAILED else { throw lastError() }
    return unsafe SharedMapping(adopting: address, byteCount: byteCount)
  }

  /// socket(2) and bind(2).
  public func packetSocket(interfaceIndex: Int, etherType: UInt16) throws(Errno) -> OwnedDescriptor {
    try owned(mq_packet_socket(CInt(interfaceIndex), etherType))
  }

  /// read(2).
  public func read(_ descriptor: FileDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    let count = unsafe Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count)
    guard count >= 0 else { throw lastError() }
    return count
  }

  /// write(2).
  public func write(_ descriptor: FileDescriptor, _ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
    let count = unsafe Glibc.write(descriptor.rawValue, buffer.baseAddress, buffer.count)
    guard count >= 0 else { throw lastError() }
    return count
  }

  /// poll(2).
  public func poll(_ descriptors: [FileDescriptor], milliseconds: Int) throws(Errno) -> [Bool] {
    var entries = descriptors.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
    let ready = unsafe Glibc.poll(&entries, nfds_t(entries.count), CInt(clamping: milliseconds))
    if ready < 0, errno != EINTR { throw lastError() }
    return entries.map { ready > 0 && $0.revents != 0 }
  }
}

/// What errno says, right after a call that failed.
internal func lastError() -> Errno { Errno(rawValue: errno) }

/// A result that is negative only on failure.
@discardableResult
internal func check(_ result: CInt) throws(Errno) -> CInt {
  guard result >= 0 else { throw lastError() }
  return result
}

/// A new descriptor, owned from here on.
internal func owned(_ result: CInt) throws(Errno) -> OwnedDescriptor {
  OwnedDescriptor(adopting: FileDescriptor(rawValue: try check(result)))
}
