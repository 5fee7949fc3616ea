internal import LinuxIO
internal import SystemPackage
internal import TapMQ
internal import VhostKernel
internal import Virtqueue

/// A software guest on one pair: memory, two rings with a driver on each, and in-kernel vhost-net as the device.
internal struct VhostPort<Kernel: KernelInterface>: GuestPort, ~Copyable {
  private static var ringSize: Int { 64 }
  private static var bufferSize: Int { 2048 }
  /// Where the guest believes its memory to be: anything but 0, so that a confusion of the two addresses shows.
  private static var guestBase: UInt64 { 1 << 32 }
  /// VIRTIO_F_VERSION_1 makes the header 12 bytes long.
  private static var headerSize: Int { VnetHeaderSize.mergeable.rawValue }

  private let kernel: Kernel
  // The rings point into the memory: they are declared, and so end, before it.
  private var receiveRing: DriverRing
  private var transmitRing: DriverRing
  private let receiveLayout: SplitRingLayout
  private let transmitLayout: SplitRingLayout
  // Which buffer each descriptor has: the ring hands ids out in its own order.
  private var receiveBuffers: [Int]
  private let buffers: Int
  private let memory: SharedMapping
  private let receiveKick: OwnedDescriptor
  private let receiveCall: OwnedDescriptor
  private let transmitKick: OwnedDescriptor
  private let transmitCall: OwnedDescriptor

  /// Maps memory, lays the rings out and fills the receive ring with buffers. Nothing runs yet.
  init(kernel: Kernel) throws(Verification.Step) {
    guard let receiveLayout = SplitRingLayout(size: Self.ringSize),
      let transmitLayout = SplitRingLayout(size: Self.ringSize, at: receiveLayout.end)
    else { fatalError("64 is a ring size") }
    let buffers = (transmitLayout.end + 4095) & ~4095
    let memory = try attempt("mmap", kernel.mmap(byteCount: buffers + 2 * Self.ringSize * Self.bufferSize))
    let receiveKick = try attempt("eventfd", kernel.eventfd())
    let receiveCall = try attempt("eventfd", kernel.eventfd())
    let transmitKick = try attempt("eventfd", kernel.eventfd())
    let transmitCall = try attempt("eventfd", kernel.eventfd())
    self.kernel = kernel
    self.receiveLayout = receiveLayout
    self.transmitLayout = transmitLayout
    self.buffers = buffers
    receiveRing = unsafe DriverRing(receiveLayout, in: memory.baseAddress)
    transmitRing = unsafe DriverRing(transmitLayout, in: memory.baseAddress)
    receiveBuffers = Array(repeating: 0, count: Self.ringSize)
    self.memory = memory
    self.receiveKick = receiveKick
    self.receiveCall = receiveCall
    self.transmitKick = transmitKick
    self.transmitCall = transmitCall
    for buffer in 0..<Self.ringSize { post(buffer) }
    receiveRing.publish()
  }

  var arrival: FileDescriptor { receiveCall.descriptor }

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
          .init(guestAddress: Self.guestBase, byteCount: UInt64(memory.byteCount), userAddress: memory.address)
        ]))
      try prepare(.receive, receiveLayout, kick: receiveKick.descriptor, call: receiveCall.descriptor, of: vhost)
      try prepare(.transmit, transmitLayout, kick: transmitKick.descriptor, call: transmitCall.descriptor, of: vhost)
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
    let base = memory.address
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

  mutating func send(_ frame: [UInt8]) throws(Verification.Step) {
    // Buffer 0 of the second half: one frame is on its way at a time.
    let offset = buffers + Self.ringSize * Self.bufferSize
    unsafe (memory.baseAddress + offset).initializeMemory(as: UInt8.self, repeating: 0, count: Self.headerSize)
    unsafe UnsafeMutableRawBufferPointer(start: memory.baseAddress + offset + Self.headerSize, count: frame.count)
      .copyBytes(from: frame)
    let length = UInt32(Self.headerSize + frame.count)
    guard transmitRing.add(address: Self.guestBase + UInt64(offset), length: length, deviceWrites: false) != nil else {
      throw Verification.Step("TX ring", "vhost does not give its buffers back")
    }
    transmitRing.publish()
    try kick(transmitKick, if: transmitRing.needsKick)
  }

  /// The worker gives a TX buffer back when the tap is through with it.
  mutating func settle(milliseconds: Int) throws(Verification.Step) -> Bool {
    let deadline = ContinuousClock.now + .milliseconds(milliseconds)
    while true {
      _ = try attempt("read of the call eventfd", kernel.readFrame(from: transmitCall.descriptor, atMost: 8))
      while transmitRing.takeUsed() != nil {}
      if transmitRing.isBroken { throw Verification.Step("TX ring", "vhost named a buffer that it cannot have") }
      if transmitRing.room == Self.ringSize { return true }
      let left = deadline - .now
      guard left > .zero else { return false }
      _ = try attempt("poll", kernel.poll([transmitCall.descriptor], milliseconds: Int(left / .milliseconds(1)) + 1))
    }
  }

  mutating func receive() throws(Verification.Step) -> [UInt8]? {
    // The count is of no interest; EAGAIN says that it was 0.
    _ = try attempt("read of the call eventfd", kernel.readFrame(from: receiveCall.descriptor, atMost: 8))
    guard let used = receiveRing.takeUsed() else {
      if receiveRing.isBroken { throw Verification.Step("RX ring", "vhost named a buffer that it cannot have") }
      return nil
    }
    guard used.length >= Self.headerSize, used.length <= Self.bufferSize else {
      throw Verification.Step("RX ring", "vhost wrote \(used.length) bytes into a buffer of \(Self.bufferSize)")
    }
    let buffer = receiveBuffers[Int(used.id)]
    let start = unsafe memory.baseAddress + buffers + buffer * Self.bufferSize + Self.headerSize
    let frame = unsafe Array(UnsafeRawBufferPointer(start: start, count: used.length - Self.headerSize))
    post(buffer)
    receiveRing.publish()
    try kick(receiveKick, if: receiveRing.needsKick)
    return frame
  }

  private mutating func post(_ buffer: Int) {
    let address = Self.guestBase + UInt64(buffers + buffer * Self.bufferSize)
    if let id = receiveRing.add(address: address, length: UInt32(Self.bufferSize), deviceWrites: true) {
      receiveBuffers[Int(id)] = buffer
    }
  }

  private func kick(_ event: borrowing OwnedDescriptor, if wanted: Bool) throws(Verification.Step) {
    guard wanted else { return }
    let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
    try attempt("write to the kick eventfd", kernel.write(one, to: event.descriptor))
  }
}
