public import LinuxIO
public import SystemPackage

/// A kernel whose calls fail as a ``FaultScript`` says; what it lets pass goes to a real one, so that what is left behind
/// is the real kernel's word. A call that fails is not carried out.
///
/// A call's name is the ioctl's, or the system call's, with the path behind `open`. A poll of no descriptors, which is a
/// sleep, is not counted.
public struct ScriptedKernel<Base: KernelInterface>: KernelInterface {
  private let base: Base
  private let script: FaultScript

  /// A kernel in front of `base`.
  public init(_ base: Base, script: FaultScript) {
    self.base = base
    self.script = script
  }

  /// open(2).
  public func open(_ path: String, nonBlocking: Bool) throws(Errno) -> OwnedDescriptor {
    try script.enter("open \(path)")
    return try base.open(path, nonBlocking: nonBlocking)
  }

  /// ioctl(2) with a pointer.
  public func ioctl(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, _ argument: UnsafeMutableRawPointer?
  ) throws(Errno) -> CInt {
    try script.enter(request.name)
    return try unsafe base.ioctl(descriptor, request, argument)
  }

  /// ioctl(2) with a number.
  public func ioctl(_ descriptor: FileDescriptor, _ request: IoctlRequest, value: UInt) throws(Errno) -> CInt {
    try script.enter(request.name)
    return try base.ioctl(descriptor, request, value: value)
  }

  /// eventfd(2).
  public func eventfd() throws(Errno) -> OwnedDescriptor {
    try script.enter("eventfd")
    return try base.eventfd()
  }

  /// mmap(2).
  public func mmap(byteCount: Int) throws(Errno) -> SharedMapping {
    try script.enter("mmap")
    return try base.mmap(byteCount: byteCount)
  }

  /// mmap(2) of a file.
  public func mmap(_ file: FileDescriptor, offset: UInt64, byteCount: Int) throws(Errno) -> SharedMapping {
    try script.enter("mmap")
    return try base.mmap(file, offset: offset, byteCount: byteCount)
  }

  /// socket(2) and bind(2), one call here.
  public func packetSocket(interfaceIndex: Int, etherType: UInt16) throws(Errno) -> OwnedDescriptor {
    try script.enter("packet socket")
    return try base.packetSocket(interfaceIndex: interfaceIndex, etherType: etherType)
  }

  /// read(2).
  public func read(_ descriptor: FileDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try script.enter("read")
    return try unsafe base.read(descriptor, into: buffer)
  }

  /// write(2).
  public func write(_ descriptor: FileDescriptor, _ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
    try script.enter("write")
    return try unsafe base.write(descriptor, buffer)
  }

  /// poll(2). `EINTR` is no error of it: nothing is ready, as ``KernelInterface`` has it.
  public func poll(_ descriptors: [FileDescriptor], milliseconds: Int) throws(Errno) -> [Bool] {
    guard !descriptors.isEmpty else { return try base.poll(descriptors, milliseconds: milliseconds) }
    do throws(Errno) {
      try script.enter("poll")
    } catch .interrupted {
      return descriptors.map { _ in false }
    }
    return try base.poll(descriptors, milliseconds: milliseconds)
  }
}
