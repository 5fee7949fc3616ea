public import SystemPackage

/// The seam between the rooms and the kernel: every call that a device makes and that can fail.
///
/// ``LinuxKernel`` is the real one. Tests put another in its place that fails call *n* and knows what is still open.
/// A method is one system call, named after it; it throws the `errno` that the call left.
public protocol KernelInterface: Sendable {
  /// open(2) with O_RDWR, O_CLOEXEC and, where asked, O_NONBLOCK.
  func open(_ path: String, nonBlocking: Bool) throws(Errno) -> OwnedDescriptor

  /// ioctl(2) with a pointer to `argument`, which the kernel may read and write.
  @discardableResult
  func ioctl(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, _ argument: UnsafeMutableRawPointer?
  ) throws(Errno) -> CInt

  /// ioctl(2) with a plain number as its argument.
  @discardableResult
  func ioctl(_ descriptor: FileDescriptor, _ request: IoctlRequest, value: UInt) throws(Errno) -> CInt

  /// eventfd(2), non-blocking, counter 0.
  func eventfd() throws(Errno) -> OwnedDescriptor

  /// mmap(2) of anonymous, shared, zeroed memory.
  func mmap(byteCount: Int) throws(Errno) -> SharedMapping

  /// mmap(2) of `byteCount` bytes of a file from `offset` on, shared. The mapping outlives the descriptor.
  func mmap(_ file: FileDescriptor, offset: UInt64, byteCount: Int) throws(Errno) -> SharedMapping

  /// socket(2) of AF_PACKET and bind(2) to the link of that index: frames of one EtherType, both ways, non-blocking.
  /// Needs CAP_NET_RAW.
  func packetSocket(interfaceIndex: Int, etherType: UInt16) throws(Errno) -> OwnedDescriptor

  /// read(2); `EAGAIN` where nothing is there.
  func read(_ descriptor: FileDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int

  /// write(2).
  @discardableResult
  func write(_ descriptor: FileDescriptor, _ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int

  /// poll(2) for POLLIN on each descriptor; true for those that have something. `EINTR` is no error: nothing is ready.
  func poll(_ descriptors: [FileDescriptor], milliseconds: Int) throws(Errno) -> [Bool]
}

extension KernelInterface {
  /// ioctl(2) on a value that the kernel reads, writes or both.
  @discardableResult
  public func ioctl<Argument: BitwiseCopyable>(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, updating argument: inout Argument
  ) throws(Errno) -> CInt {
    var copy = argument
    defer { argument = copy }
    return try unsafe withUnsafeMutablePointer(to: &copy) { pointer throws(Errno) in
      try unsafe ioctl(descriptor, request, UnsafeMutableRawPointer(pointer))
    }
  }

  /// ioctl(2) on a value that the kernel only reads.
  @discardableResult
  public func ioctl<Argument: BitwiseCopyable>(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, reading argument: Argument
  ) throws(Errno) -> CInt {
    var copy = argument
    return try ioctl(descriptor, request, updating: &copy)
  }

  /// ioctl(2) without an argument.
  @discardableResult
  public func ioctl(_ descriptor: FileDescriptor, _ request: IoctlRequest) throws(Errno) -> CInt {
    try ioctl(descriptor, request, value: 0)
  }
}
