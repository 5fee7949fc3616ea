internal import CLinuxUAPI
public import LinuxIO
public import SystemPackage

/// One queue of a tap: an open of /dev/net/tun that TUNSETIFF bound to the device.
///
/// Binding needs CAP_NET_ADMIN over the namespace, or to be the owner or of the group that the device was given.
/// Closing it takes the queue from the device; a device that is not persistent goes with its last queue.
/// Source: drivers/net/tun.c.
public struct TapQueue<Kernel: KernelInterface>: ~Copyable, Sendable {
  private let kernel: Kernel
  private let descriptor: OwnedDescriptor
  /// The device.
  public let interface: InterfaceName
  /// Its number among the queues that were opened together.
  public let index: Int
  /// What the kernel made of the flags: on a further queue it does not take over those that differ.
  public let flags: TapFlags

  /// open(2) of /dev/net/tun and TUNSETIFF.
  ///
  /// Creates the device if there is none of that name (EBUSY with `.exclusive` if there is). EINVAL: the name is
  /// another kind of device's, or its `.multiQueue` differs. E2BIG: 256 queues are open. EPERM: not allowed.
  public init(
    _ interface: InterfaceName, index: Int = 0, flags: TapFlags = .multiQueueTap, kernel: Kernel
  ) throws(TapError) {
    let descriptor: OwnedDescriptor
    do {
      descriptor = try kernel.open("/dev/net/tun", nonBlocking: true)
    } catch {
      throw TapError("open /dev/net/tun", interface: interface.description, queue: index, errno: error)
    }
    var request = unsafe mq_ifreq_make(interface.description, flags.rawValue)
    do {
      try kernel.ioctl(descriptor.descriptor, IoctlRequest("TUNSETIFF", MQ_TUNSETIFF), updating: &request)
    } catch {
      throw TapError("TUNSETIFF", interface: interface.description, queue: index, errno: error)
    }
    self.kernel = kernel
    self.descriptor = descriptor
    self.interface = interface
    self.index = index
    self.flags = TapFlags(rawValue: request.flags)
  }

  /// The descriptor, borrowed.
  public var fileDescriptor: FileDescriptor { descriptor.descriptor }

  /// Gives the descriptor away.
  public consuming func release() -> FileDescriptor { descriptor.release() }

  /// TUNSETPERSIST: whether the device outlives its last queue.
  public func setPersistent(_ persistent: Bool) throws(TapError) {
    try call("TUNSETPERSIST", MQ_TUNSETPERSIST, value: persistent ? 1 : 0)
  }

  /// TUNSETOWNER: the user who may open queues without CAP_NET_ADMIN.
  public func setOwner(_ user: UInt32) throws(TapError) {
    try call("TUNSETOWNER", MQ_TUNSETOWNER, value: UInt(user))
  }

  /// TUNSETGROUP: the group that may.
  public func setGroup(_ group: UInt32) throws(TapError) {
    try call("TUNSETGROUP", MQ_TUNSETGROUP, value: UInt(group))
  }

  /// TUNSETVNETHDRSZ: 10 bytes, or 12 with VIRTIO_NET_F_MRG_RXBUF or VIRTIO_F_VERSION_1; for the whole device.
  /// The kernel would take nonsense (11), so this does not.
  public func setVnetHeaderSize(_ size: VnetHeaderSize) throws(TapError) {
    try call("TUNSETVNETHDRSZ", MQ_TUNSETVNETHDRSZ, CInt(size.rawValue))
  }

  /// TUNGETVNETHDRSZ.
  public func vnetHeaderSize() throws(TapError) -> VnetHeaderSize {
    var size: CInt = 0
    do {
      try kernel.ioctl(fileDescriptor, IoctlRequest("TUNGETVNETHDRSZ", MQ_TUNGETVNETHDRSZ), updating: &size)
    } catch {
      throw failure("TUNGETVNETHDRSZ", error)
    }
    guard let known = VnetHeaderSize(rawValue: Int(size)) else { throw failure("TUNGETVNETHDRSZ", .invalidArgument) }
    return known
  }

  /// TUNSETOFFLOAD: TUN_F_* bits that the reader takes; for the whole device. EINVAL for one the kernel lacks.
  public func setOffload(_ bits: UInt32) throws(TapError) {
    try call("TUNSETOFFLOAD", MQ_TUNSETOFFLOAD, value: UInt(bits))
  }

  /// TUNSETQUEUE with IFF_ATTACH_QUEUE or IFF_DETACH_QUEUE; EINVAL if it is so already. Detaching moves the device's
  /// last queue into the hole and purges its packets.
  public func setAttached(_ attached: Bool) throws(TapError) {
    let flag = UInt16(attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)
    try call("TUNSETQUEUE", MQ_TUNSETQUEUE, unsafe mq_ifreq_make("", flag))
  }

  /// TUNSETCARRIER (Linux 5.0), for the whole device; no capability. It stays until it is changed, or until TUNSETIFF binds a
  /// further queue. EPERM for a carrier while no queue is attached; without one, a detached queue will do.
  public func setCarrier(_ carrier: Bool) throws(TapError) {
    try call("TUNSETCARRIER", MQ_TUNSETCARRIER, CInt(carrier ? 1 : 0))
  }

  private func failure(_ name: String, _ errno: Errno) -> TapError {
    TapError(name, interface: interface.description, queue: index, errno: errno)
  }

  private func call(_ name: String, _ number: UInt, value: UInt) throws(TapError) {
    do {
      try kernel.ioctl(fileDescriptor, IoctlRequest(name, number), value: value)
    } catch {
      throw failure(name, error)
    }
  }

  private func call(_ name: String, _ number: UInt, _ argument: some BitwiseCopyable) throws(TapError) {
    do {
      try kernel.ioctl(fileDescriptor, IoctlRequest(name, number), reading: argument)
    } catch {
      throw failure(name, error)
    }
  }
}

/// The length of the virtio-net header before each frame (virtio 1.2 §5.1.6).
public enum VnetHeaderSize: Int, Sendable {
  /// A legacy guest's without mergeable buffers.
  case legacy = 10
  /// With `num_buffers`: VIRTIO_NET_F_MRG_RXBUF or VIRTIO_F_VERSION_1.
  case mergeable = 12
}
