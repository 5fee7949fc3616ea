internal import BasicContainers
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// In-kernel vhost-net under the control of somebody else's device model: what a vhost-user front end says of rings and
/// memory is told to the vhost device of each pair, and no packet passes through here.
///
/// Ring 2i, 2i + 1 of the device is ring 0, 1 of pair i. A ring runs once it has its addresses and its kick eventfd and is
/// enabled; a pair's tap queue is attached (TUNSETQUEUE) exactly while one of its rings runs, since tun steers flows to
/// every attached queue.
///
/// A ring that is enabled no more is stopped where it is, so that it can go on from there: its TX frames wait instead of
/// being thrown away.
internal struct KernelPlane<Kernel: KernelInterface>: ~Copyable {
  /// What is known of a ring between messages. Size, base and eventfds are with vhost itself.
  private struct Ring {
    var size = 0
    var addresses: RingAddresses?
    var isKicked = false
    var isEnabled = false
    var isRunning = false
    /// What vhost was told of a ring that runs.
    var told: VringAddresses?

    var isReady: Bool { size > 0 && addresses != nil && isKicked && isEnabled }
  }

  /// A ring's parts by the front end's addresses, and where its used part is logged.
  internal struct RingAddresses: Equatable, Sendable {
    var descriptors: UInt64
    var available: UInt64
    var used: UInt64
    /// The guest's address of the used ring, where writes to it are logged too.
    var log: UInt64?
  }

  private let kernel: Kernel
  // The rings end before the memory they are in, and both before the devices that use them.
  private var rings: [Ring]
  private var memory = GuestMemory()
  private var log: SharedMapping?
  private let set: PairSet<Kernel>
  private var attached: [Bool]
  private let offered: VhostFeatures

  /// Takes the pairs over and detaches their queues: none carries anything yet.
  internal init(_ set: consuming PairSet<Kernel>, kernel: Kernel) throws(PlaneError) {
    self.kernel = kernel
    rings = Array(repeating: Ring(), count: 2 * set.count)
    attached = Array(repeating: true, count: set.count)
    var offered = VhostFeatures()
    do throws(VhostError) {
      switch set.pairs[0].vhost {
      case .some(let vhost): offered = try vhost.features()
      case .none: throw VhostError("open /dev/vhost-net", errno: .noSuchFileOrDirectory)
      }
    } catch {
      throw PlaneError(error, pair: 0)
    }
    self.offered = offered
    self.set = set
  }

  /// How many rings there are.
  internal var ringCount: Int { rings.count }

  /// A front end has come: VHOST_SET_OWNER on every device, and no queue attached.
  internal mutating func begin() throws(PlaneError) {
    for pair in 0..<set.count {
      try setAttached(pair, false)
      try vhost(pair) { vhost throws(VhostError) in try vhost.setOwner() }
    }
  }

  /// The front end has gone, or wants to start anew: everything stops, VHOST_RESET_OWNER gives the devices back, and its
  /// memory is unmapped. Whatever fails here, the rest is done.
  internal mutating func end() {
    for pair in 0..<set.count {
      try? vhost(pair) { vhost throws(VhostError) in try vhost.resetOwner() }
      try? setAttached(pair, false)
    }
    rings = Array(repeating: Ring(), count: rings.count)
    memory = GuestMemory()
    log = nil
  }

  // MARK: What a front end asks for

  /// SET_FEATURES, split: vhost takes what it offers of them, the tap the header's size and the offloads.
  internal func setFeatures(_ bits: UInt64) throws(PlaneError) {
    // Bit 27 is VIRTIO_F_ANY_LAYOUT to a guest and VHOST_NET_F_VIRTIO_NET_HDR to vhost.
    let features = VhostFeatures(rawValue: bits).intersection(offered).subtracting(.vhostNetHeader)
    for pair in 0..<set.count {
      try vhost(pair) { vhost throws(VhostError) in try vhost.setFeatures(features) }
    }
    let isLong = !features.isDisjoint(with: [.mergeableReceiveBuffers, .version1])
    do throws(TapError) {
      try set.pairs[0].tap.setVnetHeaderSize(isLong ? .mergeable : .legacy)
      try set.pairs[0].tap.setOffload(FeatureSplit.offload(ofGuest: bits))
    } catch {
      throw PlaneError(error)
    }
  }

  /// SET_MEM_TABLE: the whole table anew.
  internal mutating func setMemory(
    _ table: [GuestMemory.Description], files: borrowing UniqueArray<OwnedDescriptor>
  ) throws(PlaneError) {
    let retired = try memory.replace(by: table, files: files, kernel: kernel)
    try moveRings()
    // Nobody uses it any more.
    _ = consume retired
  }

  /// ADD_MEM_REG.
  internal mutating func addMemory(_ region: GuestMemory.Description, file: FileDescriptor) throws(PlaneError) {
    try memory.add(region, file: file, kernel: kernel)
    try moveRings()
  }

  /// REM_MEM_REG: rings in it are stopped.
  internal mutating func removeMemory(_ region: GuestMemory.Description) throws(PlaneError) {
    let retired = try memory.remove(region)
    try moveRings()
    _ = consume retired
  }

  /// SET_LOG_BASE: the dirty log, mapped here and handed to every vhost device.
  internal mutating func setLog(_ file: FileDescriptor, offset: UInt64, byteCount: UInt64) throws(PlaneError) {
    guard let length = Int(exactly: byteCount), length > 0 else { throw PlaneError("SET_LOG_BASE", "its size is 0") }
    let mapping: SharedMapping
    do throws(Errno) {
      let (end, wraps) = offset.addingReportingOverflow(byteCount)
      let available = try FileTree.byteCount(of: file)
      guard !wraps, available >= end else { throw Errno.outOfRange }
      mapping = try kernel.mmap(file, offset: offset, byteCount: length)
    } catch {
      throw PlaneError("mmap of the dirty log", error)
    }
    let address = mapping.address
    for pair in 0..<set.count {
      try vhost(pair) { vhost throws(VhostError) in try vhost.setLogBase(address) }
    }
    log = consume mapping
  }

  /// SET_VRING_NUM.
  internal mutating func setSize(_ ring: Int, _ size: Int) throws(PlaneError) {
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringNumber(half, to: size) }
    rings[ring].size = size
  }

  /// SET_VRING_BASE.
  internal func setBase(_ ring: Int, _ base: UInt16) throws(PlaneError) {
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringBase(half, to: base) }
  }

  /// SET_VRING_ADDR. On a ring that runs this may turn the logging of its used part on or off.
  internal mutating func setAddresses(_ ring: Int, _ addresses: RingAddresses) throws(PlaneError) {
    rings[ring].addresses = addresses
    if rings[ring].isRunning { try tellAddresses(ring) } else { try startIfReady(ring) }
  }

  /// SET_VRING_KICK: starts the ring. Without a descriptor the front end wants to be polled, which vhost does not do.
  internal mutating func setKick(_ ring: Int, _ event: FileDescriptor?) throws(PlaneError) {
    guard let event else { throw PlaneError("SET_VRING_KICK", "without an eventfd: polling is not supported") }
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringKick(half, event) }
    rings[ring].isKicked = true
    try startIfReady(ring)
  }

  /// SET_VRING_CALL.
  internal func setCall(_ ring: Int, _ event: FileDescriptor?) throws(PlaneError) {
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringCall(half, event) }
  }

  /// SET_VRING_ERR.
  internal func setErr(_ ring: Int, _ event: FileDescriptor?) throws(PlaneError) {
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringErr(half, event) }
  }

  /// SET_VRING_ENABLE.
  internal mutating func setEnabled(_ ring: Int, _ enabled: Bool) throws(PlaneError) {
    rings[ring].isEnabled = enabled
    if enabled { try startIfReady(ring) } else { try pause(ring) }
  }

  /// GET_VRING_BASE: stops the ring and says where it stopped. It starts again with the next SET_VRING_KICK.
  internal mutating func stop(_ ring: Int) throws(PlaneError) -> UInt16 {
    try pause(ring)
    rings[ring].isKicked = false
    var base: UInt16 = 0
    try vhost(ring) { vhost, half throws(VhostError) in base = try vhost.vringBase(of: half) }
    return base
  }

  // MARK: How it is done

  private mutating func startIfReady(_ ring: Int) throws(PlaneError) {
    guard rings[ring].isReady, !rings[ring].isRunning else { return }
    try tellAddresses(ring)
    try setAttached(ring / 2, true)
    let queue = set.pairs[ring / 2].tap.fileDescriptor
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setBackend(half, to: queue) }
    rings[ring].isRunning = true
  }

  /// Stops a ring; vhost remembers where.
  private mutating func pause(_ ring: Int) throws(PlaneError) {
    guard rings[ring].isRunning else { return }
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setBackend(half, to: nil) }
    rings[ring].isRunning = false
    rings[ring].told = nil
    if !rings[ring ^ 1].isRunning { try setAttached(ring / 2, false) }
  }

  /// The table has changed: rings that are elsewhere in this process now are stopped, moved and started again where
  /// they were, and lose nothing that the guest has posted; the others run on.
  private mutating func moveRings() throws(PlaneError) {
    var moved: [Int] = []
    for ring in rings.indices where rings[ring].isRunning && resolve(ring) != rings[ring].told {
      try pause(ring)
      moved.append(ring)
    }
    let table = memory.table
    if !table.regions.isEmpty {
      for pair in 0..<set.count {
        try vhost(pair) { vhost throws(VhostError) in try vhost.setMemoryTable(table) }
      }
    }
    for ring in moved where resolve(ring) != nil { try startIfReady(ring) }
  }

  private func resolve(_ ring: Int) -> VringAddresses? {
    guard let wanted = rings[ring].addresses else { return nil }
    let size = rings[ring].size
    guard let descriptors = memory.address(ofFrontEnd: wanted.descriptors, byteCount: 16 * size),
      let available = memory.address(ofFrontEnd: wanted.available, byteCount: 6 + 2 * size),
      let used = memory.address(ofFrontEnd: wanted.used, byteCount: 6 + 8 * size)
    else { return nil }
    return VringAddresses(descriptors: descriptors, available: available, used: used)
  }

  private mutating func tellAddresses(_ ring: Int) throws(PlaneError) {
    guard let addresses = resolve(ring) else {
      throw PlaneError("SET_VRING_ADDR, ring \(ring)", "its addresses are in no memory region")
    }
    let log = rings[ring].addresses?.log
    try vhost(ring) { vhost, half throws(VhostError) in try vhost.setVringAddresses(half, addresses, log: log) }
    rings[ring].told = addresses
  }

  private mutating func setAttached(_ pair: Int, _ wanted: Bool) throws(PlaneError) {
    guard attached[pair] != wanted else { return }
    do throws(TapError) {
      try set.pairs[pair].tap.setAttached(wanted)
    } catch {
      throw PlaneError(error)
    }
    attached[pair] = wanted
  }

  private func vhost(
    _ pair: Int, _ body: (borrowing VhostNet<Kernel>) throws(VhostError) -> Void
  ) throws(PlaneError) {
    switch set.pairs[pair].vhost {
    case .some(let vhost):
      do throws(VhostError) {
        try body(vhost)
      } catch {
        throw PlaneError(error, pair: pair)
      }
    case .none:
      throw PlaneError("pair \(pair)", "it has no vhost device")
    }
  }

  private func vhost(
    _ ring: Int, _ body: (borrowing VhostNet<Kernel>, VhostRing) throws(VhostError) -> Void
  ) throws(PlaneError) {
    let half: VhostRing = ring % 2 == 0 ? .receive : .transmit
    try vhost(ring / 2) { vhost throws(VhostError) in try body(vhost, half) }
  }
}
