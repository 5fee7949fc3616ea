public import LinuxIO
public import Orchestrator
public import SystemPackage
internal import TapMQ
public import VhostKernel

/// In-kernel vhost-net: every step is the ioctl of that name on the pair's own vhost device, and no frame passes through
/// this process.
public struct KernelPlane<Kernel: KernelInterface>: Plane, ~Copyable {
  /// The pairs that it serves must have vhost devices.
  public init() {}

  /// Nothing: the kernel makes its workers by itself.
  public func start(_ set: borrowing PairSet<Kernel>) {}

  /// VHOST_GET_FEATURES.
  public func features(of pair: borrowing QueuePair<Kernel>) throws(PlaneError) -> VhostFeatures {
    var features = VhostFeatures()
    try call(pair) { vhost throws(VhostError) in features = try vhost.features() }
    return features
  }

  /// VHOST_SET_OWNER.
  public func setOwner(of pair: borrowing QueuePair<Kernel>) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setOwner() }
  }

  /// VHOST_RESET_OWNER.
  public func resetOwner(of pair: borrowing QueuePair<Kernel>) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.resetOwner() }
  }

  /// VHOST_SET_FEATURES.
  public func setFeatures(
    _ features: VhostFeatures, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    // Bit 27 is VIRTIO_F_ANY_LAYOUT to a guest and VHOST_NET_F_VIRTIO_NET_HDR to vhost.
    try call(pair) { vhost throws(VhostError) in try vhost.setFeatures(features.subtracting(.vhostNetHeader)) }
  }

  /// VHOST_SET_MEM_TABLE.
  public func setMemoryTable(
    _ table: MemoryTable, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setMemoryTable(table) }
  }

  /// VHOST_SET_LOG_BASE.
  public func setLog(
    _ log: borrowing SharedMapping, of pair: borrowing QueuePair<Kernel>
  ) throws(PlaneError) {
    let address = log.address
    try call(pair) { vhost throws(VhostError) in try vhost.setLogBase(address) }
  }

  /// VHOST_SET_VRING_NUM.
  public func setNumber(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to size: Int
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringNumber(ring, to: size) }
  }

  /// VHOST_SET_VRING_BASE.
  public func setBase(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to index: UInt16
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringBase(ring, to: index) }
  }

  /// VHOST_GET_VRING_BASE.
  public func base(_ ring: VhostRing, of pair: borrowing QueuePair<Kernel>) throws(PlaneError) -> UInt16 {
    var base: UInt16 = 0
    try call(pair) { vhost throws(VhostError) in base = try vhost.vringBase(of: ring) }
    return base
  }

  /// VHOST_SET_VRING_ADDR.
  public func setAddresses(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to addresses: VringAddresses, log: UInt64?
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringAddresses(ring, addresses, log: log) }
  }

  /// VHOST_SET_VRING_KICK.
  public func setKick(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringKick(ring, event) }
  }

  /// VHOST_SET_VRING_CALL.
  public func setCall(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringCall(ring, event) }
  }

  /// VHOST_SET_VRING_ERR.
  public func setError(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, to event: FileDescriptor?
  ) throws(PlaneError) {
    try call(pair) { vhost throws(VhostError) in try vhost.setVringErr(ring, event) }
  }

  /// VHOST_NET_SET_BACKEND.
  public func setRunning(
    _ ring: VhostRing, of pair: borrowing QueuePair<Kernel>, _ isRunning: Bool
  ) throws(PlaneError) {
    let queue = isRunning ? pair.tap.fileDescriptor : nil
    try call(pair) { vhost throws(VhostError) in try vhost.setBackend(ring, to: queue) }
  }

  /// vhost tells the front end itself of a broken ring, by its err eventfd, and nobody else.
  public var alarm: FileDescriptor? { nil }

  /// None that is known of.
  public func takeTroubles() -> [PlaneTrouble] { [] }

  private func call(
    _ pair: borrowing QueuePair<Kernel>, _ body: (borrowing VhostNet<Kernel>) throws(VhostError) -> Void
  ) throws(PlaneError) {
    switch pair.vhost {
    case .some(let vhost):
      do throws(VhostError) {
        try body(vhost)
      } catch {
        throw PlaneError(error, pair: pair.index)
      }
    case .none:
      throw PlaneError("pair \(pair.index)", "it has no vhost device")
    }
  }
}
