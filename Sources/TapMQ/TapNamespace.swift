internal import CLinuxUAPI
public import LinuxIO
public import SystemPackage

/// Which network namespace a tap stands in.
public enum TapNamespace {
  /// TUNGETDEVNETNS on a queue's descriptor: the namespace of its device, whose name alone does not tell. Needs
  /// CAP_NET_ADMIN over that namespace.
  public static func identity(of queue: FileDescriptor) throws(Errno) -> FileIdentity {
    let kernel = LinuxKernel()
    let number = try kernel.ioctl(queue, IoctlRequest("TUNGETDEVNETNS", MQ_TUNGETDEVNETNS))
    let namespace = OwnedDescriptor(adopting: FileDescriptor(rawValue: number))
    return try FileTree.identity(of: namespace.descriptor)
  }
}
