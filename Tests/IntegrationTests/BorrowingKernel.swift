import LinuxIO
import Synchronization
import SystemPackage
import VhostKernel

/// A kernel where opening /dev/vhost-net gives descriptors of another process, one after the other: the very files that
/// it has open, as if they had been inherited.
final class BorrowingKernel: KernelInterface {
  private let base = LinuxKernel()
  private let process: Int
  private let descriptors: Mutex<[Int]>

  init(process: Int, descriptors: [Int]) {
    self.process = process
    self.descriptors = Mutex(descriptors)
  }

  func open(_ path: String, nonBlocking: Bool) throws(Errno) -> OwnedDescriptor {
    guard path == VhostNet<LinuxKernel>.path else { return try base.open(path, nonBlocking: nonBlocking) }
    let next: Int? = descriptors.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    guard let next else { throw .noSuchFileOrDirectory }
    return try ProcessControl.copy(descriptor: next, ofProcess: process)
  }

  func ioctl(
    _ descriptor: FileDescriptor, _ request: IoctlRequest, _ argument: UnsafeMutableRawPointer?
  ) throws(Errno) -> CInt {
    try unsafe base.ioctl(descriptor, request, argument)
  }

  func ioctl(_ descriptor: FileDescriptor, _ request: IoctlRequest, value: UInt) throws(Errno) -> CInt {
    try base.ioctl(descriptor, request, value: value)
  }

  func eventfd() throws(Errno) -> OwnedDescriptor { try base.eventfd() }

  func mmap(_ file: FileDescriptor, offset: UInt64, byteCount: Int) throws(Errno) -> SharedMapping {
    try base.mmap(file, offset: offset, byteCount: byteCount)
  }

  func mmap(byteCount: Int) throws(Errno) -> SharedMapping { try base.mmap(byteCount: byteCount) }

  func packetSocket(interfaceIndex: Int, etherType: UInt16) throws(Errno) -> OwnedDescriptor {
    try base.packetSocket(interfaceIndex: interfaceIndex, etherType: etherType)
  }

  func read(_ descriptor: FileDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try unsafe base.read(descriptor, into: buffer)
  }

  func write(_ descriptor: FileDescriptor, _ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
    try unsafe base.write(descriptor, buffer)
  }

  func poll(_ descriptors: [FileDescriptor], milliseconds: Int) throws(Errno) -> [Bool] {
    try base.poll(descriptors, milliseconds: milliseconds)
  }
}
