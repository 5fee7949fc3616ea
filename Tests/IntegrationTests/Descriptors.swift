import LinuxIO
import SystemPackage
import VhostKernel

/// Further descriptors of files that are open already.
enum Descriptors {
  /// pidfd_getfd(2) of this very process: another descriptor of the same file, CLOEXEC.
  static func duplicate(_ descriptor: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    try ProcessControl.copy(descriptor: Int(descriptor.rawValue), ofProcess: ProcessControl.processID)
  }

  /// The network namespace that the calling thread is in.
  static func ownNamespace() throws -> OwnedDescriptor {
    OwnedDescriptor(
      adopting: unsafe try FileDescriptor.open("/proc/thread-self/ns/net", .readOnly, options: .closeOnExec))
  }
}

extension VhostNet where Kernel == BorrowingKernel {
  /// A device that this process has open, by a descriptor of its own.
  init(dup descriptor: FileDescriptor) throws(VhostError) {
    try self.init(of: ProcessControl.processID, Int(descriptor.rawValue))
  }

  /// A device that another process has open, as if it had been inherited.
  init(of process: Int, _ number: Int) throws(VhostError) {
    try self.init(kernel: BorrowingKernel(process: process, descriptors: [number]))
  }
}
