internal import LinuxIO
internal import SystemPackage
internal import TapMQ
internal import VhostKernel
internal import Virtqueue

/// A software guest on one pair, with in-kernel vhost-net as the device.
internal struct VhostPort<Kernel: KernelInterface>: GuestPort, ~Copyable {
  private var rings: GuestRings<Kernel>

  /// Maps memory and lays the rings out. Nothing runs yet.
  init(kernel: Kernel) throws(Verification.Step) {
    rings = try GuestRings(
      kernel: kernel, memory: try attempt("mmap", kernel.mmap(byteCount: GuestRings<Kernel>.byteCount)))
  }

  var arrival: FileDescriptor { rings.arrival }

  mutating func send(_ frame: [UInt8]) throws(Verification.Step) { try rings.send(frame) }

  /// The worker gives a TX buffer back when the tap is through with it.
  mutating func settle(milliseconds: Int) throws(Verification.Step) -> Bool {
    try rings.settle(milliseconds: milliseconds)
  }

  mutating func receive() throws(Verification.Step) -> [UInt8]? { try rings.receive() }

  /// OWNER, FEATURES, MEM_TABLE, then for each ring NUM, BASE, ADDR, KICK, CALL, then both backends.
  /// `owned` is called right after VHOST_SET_OWNER.
  ///
  /// On failure the device is given back before this port's memory goes: a ring that runs already would be looked for at
  /// addresses that the next port's memory may have by then.
  mutating func start(
    _ vhost: borrowing VhostNet<Kernel>, on tap: borrowing TapQueue<Kernel>, owned: () -> Void
  ) throws(Verification.Step) {
    do throws(VhostError) {
      try vhost.setOwner()
    } catch {
      throw Verification.Step(error)
    }
    owned()
    do throws(VhostError) {
      let offered = try vhost.features()
      guard offered.contains(.version1) else {
        throw VhostError("VHOST_GET_FEATURES: no VIRTIO_F_VERSION_1", errno: .notSupported)
      }
      try vhost.setFeatures(.version1)
      try vhost.setMemoryTable(
        MemoryTable([
          .init(
            guestAddress: rings.guestBase, byteCount: UInt64(rings.memory.byteCount), userAddress: rings.memory.address)
        ]))
      try prepare(
        .receive, rings.receiveLayout, kick: rings.receiveKick.descriptor, call: rings.receiveCall.descriptor, of: vhost
      )
      try prepare(
        .transmit, rings.transmitLayout, kick: rings.transmitKick.descriptor, call: rings.transmitCall.descriptor,
        of: vhost)
      try vhost.setBackend(.receive, to: tap.fileDescriptor)
      try vhost.setBackend(.transmit, to: tap.fileDescriptor)
    } catch {
      try? vhost.resetOwner()
      throw Verification.Step(error)
    }
  }

  private func prepare(
    _ ring: VhostRing, _ layout: SplitRingLayout, kick: FileDescriptor, call: FileDescriptor,
    of vhost: borrowing VhostNet<Kernel>
  ) throws(VhostError) {
    let base = rings.memory.address
    try vhost.setVringNumber(ring, to: layout.size)
    try vhost.setVringBase(ring, to: 0)
    try vhost.setVringAddresses(
      ring,
      VringAddresses(
        descriptors: base + UInt64(layout.descriptors), available: base + UInt64(layout.available),
        used: base + UInt64(layout.used)))
    try vhost.setVringKick(ring, kick)
    try vhost.setVringCall(ring, call)
  }
}
