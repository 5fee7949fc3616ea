internal import CLinuxUAPI
public import LinuxIO
public import SystemPackage

/// One open of /dev/vhost-net: one queue pair, and from `setOwner()` on one worker of its own.
///
/// The order that the kernel wants: `setOwner()`, `features()`, `setFeatures(_:)`, `setMemoryTable(_:)`, for each ring
/// size, base, addresses, kick and call, then `setBackend(_:to:)` for both rings with the tap queue. To stop:
/// `setBackend(_:to: nil)` for both, then `vringBase(of:)`.
///
/// The descriptor belongs to the memory map of the process that called `setOwner()`; in any other it answers EPERM. So
/// one for a hypervisor leaves either untouched or given back by `resetOwner()`. Source: drivers/vhost/{net,vhost}.c.
///
/// Opening needs read and write permission on the device node and nothing else; no ioctl here needs a capability.
public struct VhostNet<Kernel: KernelInterface>: ~Copyable, Sendable {
  private let kernel: Kernel
  private let descriptor: OwnedDescriptor

  /// Where the device node is.
  public static var path: String { "/dev/vhost-net" }

  /// open(2): ENOENT without the device node, EACCES without permission, ENODEV without the module.
  public init(opening path: String = "/dev/vhost-net", kernel: Kernel) throws(VhostError) {
    self.kernel = kernel
    do {
      descriptor = try kernel.open(path, nonBlocking: true)
    } catch {
      throw VhostError("open \(path)", errno: error)
    }
  }

  /// The descriptor, borrowed.
  public var fileDescriptor: FileDescriptor { descriptor.descriptor }

  /// Gives the descriptor away.
  public consuming func release() -> FileDescriptor { descriptor.release() }

  /// VHOST_SET_OWNER: binds it to this process's memory map and starts the worker. EBUSY if it is owned already.
  public func setOwner() throws(VhostError) {
    try call("VHOST_SET_OWNER", MQ_VHOST_SET_OWNER)
  }

  /// VHOST_RESET_OWNER: stops both rings and the worker, and gives the descriptor back. EPERM from any but the owner.
  public func resetOwner() throws(VhostError) {
    try call("VHOST_RESET_OWNER", MQ_VHOST_RESET_OWNER)
  }

  /// VHOST_GET_FEATURES. Works before ownership too.
  public func features() throws(VhostError) -> VhostFeatures {
    var bits: UInt64 = 0
    try call("VHOST_GET_FEATURES", MQ_VHOST_GET_FEATURES, updating: &bits)
    return VhostFeatures(rawValue: bits)
  }

  /// VHOST_SET_FEATURES: EOPNOTSUPP for a bit that was not offered.
  public func setFeatures(_ features: VhostFeatures) throws(VhostError) {
    var bits = features.rawValue
    try call("VHOST_SET_FEATURES", MQ_VHOST_SET_FEATURES, updating: &bits)
  }

  /// VHOST_SET_FORK_FROM_OWNER, before `setOwner()`: which kind of worker it will get, in whichever process owns it.
  /// EBUSY once owned; EPERM, ENOTTY or ENOIOCTLCMD where the kernel has no such choice.
  public func setForkFromOwner(_ kind: WorkerKind) throws(VhostError) {
    var byte = kind.forkFromOwner
    try call("VHOST_SET_FORK_FROM_OWNER", MQ_VHOST_SET_FORK_FROM_OWNER, updating: &byte)
  }

  /// VHOST_GET_FORK_FROM_OWNER.
  public func forkFromOwner() throws(VhostError) -> WorkerKind {
    var byte: UInt8 = 0
    try call("VHOST_GET_FORK_FROM_OWNER", MQ_VHOST_GET_FORK_FROM_OWNER, updating: &byte)
    return byte == 0 ? .kthread : .task
  }

  /// VHOST_SET_MEM_TABLE: E2BIG over `max_mem_regions`, EFAULT for an address that is not this process's.
  public func setMemoryTable(_ table: MemoryTable) throws(VhostError) {
    var words = table.words
    do throws(Errno) {
      try unsafe words.withUnsafeMutableBufferPointer { words throws(Errno) in
        let request = IoctlRequest("VHOST_SET_MEM_TABLE", MQ_VHOST_SET_MEM_TABLE)
        _ = try unsafe kernel.ioctl(fileDescriptor, request, UnsafeMutableRawPointer(words.baseAddress))
      }
    } catch {
      throw VhostError("VHOST_SET_MEM_TABLE", errno: error)
    }
  }

  /// VHOST_SET_VRING_NUM: a power of two up to 0x8000, else EINVAL; EBUSY while the ring has a backend.
  public func setVringNumber(_ ring: VhostRing, to size: Int) throws(VhostError) {
    try set("VHOST_SET_VRING_NUM", MQ_VHOST_SET_VRING_NUM, ring, state: UInt32(size))
  }

  /// VHOST_SET_VRING_BASE: the index of the next available entry that the device will look at.
  public func setVringBase(_ ring: VhostRing, to index: UInt16) throws(VhostError) {
    try set("VHOST_SET_VRING_BASE", MQ_VHOST_SET_VRING_BASE, ring, state: UInt32(index))
  }

  /// VHOST_GET_VRING_BASE: where the device stopped. Ask after `setBackend(_:to: nil)`.
  public func vringBase(of ring: VhostRing) throws(VhostError) -> UInt16 {
    var state = vhost_vring_state(index: ring.rawValue, num: 0)
    try call("VHOST_GET_VRING_BASE", MQ_VHOST_GET_VRING_BASE, ring, updating: &state)
    return UInt16(truncatingIfNeeded: state.num)
  }

  /// VHOST_SET_VRING_ADDR: the ring's three parts, as addresses of the owner's. EINVAL if the available or the
  /// used ring is misaligned; the descriptor table's alignment the kernel does not look at.
  ///
  /// - Parameter log: the guest's address of the used ring, where writes to it are to be logged as well
  ///   (VHOST_VRING_F_LOG).
  public func setVringAddresses(
    _ ring: VhostRing, _ addresses: VringAddresses, log: UInt64? = nil
  ) throws(VhostError) {
    var argument = vhost_vring_addr(
      index: ring.rawValue, flags: log == nil ? 0 : 1 << UInt32(VHOST_VRING_F_LOG),
      desc_user_addr: addresses.descriptors, used_user_addr: addresses.used,
      avail_user_addr: addresses.available, log_guest_addr: log ?? 0)
    try call("VHOST_SET_VRING_ADDR", MQ_VHOST_SET_VRING_ADDR, ring, updating: &argument)
  }

  /// VHOST_SET_VRING_KICK: the eventfd by which the driver says that there is work.
  public func setVringKick(_ ring: VhostRing, _ event: FileDescriptor) throws(VhostError) {
    try set("VHOST_SET_VRING_KICK", MQ_VHOST_SET_VRING_KICK, ring, file: event)
  }

  /// VHOST_SET_LOG_BASE: where the dirty log is mapped here, a bit a page of 4096 bytes (VHOST_PAGE_SIZE) by guest
  /// addresses. Must be set before VHOST_F_LOG_ALL is; EFAULT if it does not reach over the memory table.
  public func setLogBase(_ address: UInt64) throws(VhostError) {
    var address = address
    try call("VHOST_SET_LOG_BASE", MQ_VHOST_SET_LOG_BASE, updating: &address)
  }

  /// VHOST_SET_VRING_ERR: the eventfd by which the device says that the ring is broken; nil for none.
  public func setVringErr(_ ring: VhostRing, _ event: FileDescriptor?) throws(VhostError) {
    try set("VHOST_SET_VRING_ERR", MQ_VHOST_SET_VRING_ERR, ring, file: event)
  }

  /// VHOST_SET_VRING_CALL: the eventfd by which the device says that buffers are used; nil for none.
  public func setVringCall(_ ring: VhostRing, _ event: FileDescriptor?) throws(VhostError) {
    try set("VHOST_SET_VRING_CALL", MQ_VHOST_SET_VRING_CALL, ring, file: event)
  }

  /// VHOST_NET_SET_BACKEND: starts the ring on a tap queue, or stops it (nil). EFAULT without a memory table, and where
  /// the ring's addresses are not mapped (that they are in the table it does not ask); ENOTSOCK for a descriptor that is
  /// no tap queue or packet socket.
  public func setBackend(_ ring: VhostRing, to queue: FileDescriptor?) throws(VhostError) {
    try set("VHOST_NET_SET_BACKEND", MQ_VHOST_NET_SET_BACKEND, ring, file: queue)
  }

  private func set(_ name: String, _ number: UInt, _ ring: VhostRing, state: UInt32) throws(VhostError) {
    var argument = vhost_vring_state(index: ring.rawValue, num: state)
    try call(name, number, ring, updating: &argument)
  }

  private func set(_ name: String, _ number: UInt, _ ring: VhostRing, file: FileDescriptor?) throws(VhostError) {
    var argument = vhost_vring_file(index: ring.rawValue, fd: file?.rawValue ?? VHOST_FILE_UNBIND)
    try call(name, number, ring, updating: &argument)
  }

  private func call(_ name: String, _ number: UInt) throws(VhostError) {
    do {
      try kernel.ioctl(fileDescriptor, IoctlRequest(name, number))
    } catch {
      throw VhostError(name, errno: error)
    }
  }

  private func call<Argument: BitwiseCopyable>(
    _ name: String, _ number: UInt, _ ring: VhostRing? = nil, updating argument: inout Argument
  ) throws(VhostError) {
    do {
      try kernel.ioctl(fileDescriptor, IoctlRequest(name, number), updating: &argument)
    } catch {
      throw VhostError(name, ring: ring, errno: error)
    }
  }
}
