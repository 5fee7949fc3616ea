internal import CLinuxUAPI
public import LinuxIO
public import SystemPackage

/// What a descriptor of a tap's queue, of this process or copied from another, says of itself.
public enum QueueDescriptor {
  /// TUNGETDEVNETNS on a queue's descriptor: the namespace of its device, whose name alone does not tell. Needs
  /// CAP_NET_ADMIN over that namespace.
  public static func namespace(of queue: FileDescriptor) throws(Errno) -> FileIdentity {
    let kernel = LinuxKernel()
    let number = try kernel.ioctl(queue, IoctlRequest("TUNGETDEVNETNS", MQ_TUNGETDEVNETNS))
    let namespace = OwnedDescriptor(adopting: FileDescriptor(rawValue: number))
    return try FileTree.identity(of: namespace.descriptor)
  }

  /// TUNGETIFF: whether the queue is attached (IFF_DETACH_QUEUE is not set).
  public static func isAttached(_ queue: FileDescriptor) throws(Errno) -> Bool {
    var request = unsafe mq_ifreq_make("", 0)
    try LinuxKernel().ioctl(queue, IoctlRequest("TUNGETIFF", MQ_TUNGETIFF), updating: &request)
    return request.flags & UInt16(IFF_DETACH_QUEUE) == 0
  }
}
