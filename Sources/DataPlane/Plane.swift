public import LinuxIO
public import Orchestrator
public import SystemPackage
public import VhostKernel

/// What moves frames between the rings of queue pairs and their tap queues, in the steps that vhost has for it: an owner,
/// features, the memory table, each ring's size, base, addresses and eventfds, then its backend.
///
/// One who carries out what a front end says (``Server``) keeps to their order, and sees to it that what a plane was told
/// of memory and logs stays mapped until it was told something else. Ring 0, 1 of pair i is ring 2i, 2i + 1 of the device.
public protocol Plane: ~Copyable, Sendable {
  /// The seam to the kernel.
  associatedtype Kernel: KernelInterface

  /// Once, before the first front end: whatever must exist before this process gives up the right to make it.
  mutating func start(_ set: borrowing PairSet<Kernel>) throws(PlaneError)

  /// VHOST_GET_FEATURES: what a pair's rings can do.
  func features(of pair: borrowing QueuePair<Kernel>) throws(PlaneError) -> VhostFeatures

  /// VHOST_SET_OWNER: a front end has come.
  func setOwner(of pair: borrowing QueuePair<Kernel>) throws(PlaneError)

  /// VHOST_RESET_OWNER: it has gone. Nothing that was told is used or remembered after this.
  func resetOwner(of pair: borrowing QueuePair<Kernel>) throws(PlaneError)

  /// VHOST_SET_FEATURES.
  func setFeatures(_ features: VhostFeatures, of pair: borrowing QueuePair<Kernel>) throws(PlaneError)

  /// VHOST_SET_MEM_TABLE; also while rings run.
  func setMemoryTable(_ table: MemoryTable, of pair: borrowing QueuePair<Kernel>) throws(PlaneError)

  /// VHOST_SET_LOG_BASE; also while rings run.
  func setLog(_ log: borrowing SharedMapping, of pair: borrowing QueuePair<Kernel>) throws(PlaneError)

  /// VHOST_SET_VRING_NUM.
  func setNumber(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to size: Int
  ) throws(PlaneError)

  /// VHOST_SET_VRING_BASE.
  func setBase(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to index: UInt16
  ) throws(PlaneError)

  /// VHOST_GET_VRING_BASE: where a ring that does not run would go on.
  func base(_ ring: VhostRing, of pair: borrowing QueuePair<Kernel>) throws(PlaneError) -> UInt16

  /// VHOST_SET_VRING_ADDR; also while the ring runs.
  ///
  /// - Parameter log: the guest address at which writes to the used ring are logged; nil if they are not.
  func setAddresses(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to addresses: VringAddresses, log: UInt64?
  ) throws(PlaneError)

  /// VHOST_SET_VRING_KICK: the eventfd that says that the driver has made buffers available; borrowed for the call.
  func setKick(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor
  ) throws(PlaneError)

  /// VHOST_SET_VRING_CALL: the eventfd that says that the device has used some; nil for none.
  func setCall(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError)

  /// VHOST_SET_VRING_ERR: the eventfd that says that the ring is broken; nil for none.
  func setError(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError)

  /// VHOST_NET_SET_BACKEND: the ring runs from now on, on the pair's tap queue; or it stops, and when this returns
  /// nothing of it is touched any more.
  func setRunning(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, _ isRunning: Bool
  ) throws(PlaneError)

  /// Becomes readable when ``takeTroubles()`` has something to say; nil if it never has.
  var alarm: FileDescriptor? { get }

  /// What has happened to pairs since this was last asked, that nobody has asked for.
  func takeTroubles() -> [PlaneTrouble]
}

/// Something that happens to a plane while frames move.
public enum PlaneTrouble: Sendable, Equatable {
  /// A driver has broken the rules of the device's ring of that index, which stands still until it is started anew.
  case ringBroken(Int, reason: String)
  /// Memory that a front end has shared is not there any more: its file was made shorter.
  case memoryLost
}
