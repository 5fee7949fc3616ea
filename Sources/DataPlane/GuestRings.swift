internal import LinuxIO
internal import SystemPackage
internal import TapMQ
internal import Virtqueue

/// A software guest's side of one pair: memory, two rings in it with a driver on each, and their eventfds. Whoever has
/// the device's side must be told of them.
internal struct GuestRings<Kernel: KernelInterface>: GuestPort, ~Copyable {
  /// Entries of either ring.
  static var ringSize: Int { 64 }
  private static var bufferSize: Int { 2048 }
  /// VIRTIO_F_VERSION_1 makes the header 12 bytes long.
  private static var headerSize: Int { VnetHeaderSize.mergeable.rawValue }

  private let kernel: Kernel
  // The rings point into the memory: they are declared, and so end, before it.
  private var receiveRing: DriverRing
  private var transmitRing: DriverRing
  /// Where the rings are in memory.
  let receiveLayout: SplitRingLayout
  let transmitLayout: SplitRingLayout
  // Which buffer each descriptor has: the ring hands ids out in its own order.
  private var receiveBuffers: [Int]
  private let buffers: Int
  // How many frames were sent: the ring gives buffers back in order, so the next one's is free when there is room.
  private var sent = 0
  /// All of the guest's memory.
  let memory: SharedMapping
  /// Where the guest believes its memory to be: anything but 0, so that a confusion of the two addresses shows.
  let guestBase: UInt64
  let receiveKick: OwnedDescriptor
  let receiveCall: OwnedDescriptor
  let transmitKick: OwnedDescriptor
  let transmitCall: OwnedDescriptor

  /// How much memory it needs.
  static var byteCount: Int { (buffersOffset + 2 * ringSize * bufferSize + 4095) & ~4095 }

  private static var layouts: (receive: SplitRingLayout, transmit: SplitRingLayout) {
    guard let receive = SplitRingLayout(size: ringSize),
      let transmit = SplitRingLayout(size: ringSize, at: receive.end)
    else { fatalError("64 is a ring size") }
    return (receive, transmit)
  }

  private static var buffersOffset: Int { (layouts.transmit.end + 4095) & ~4095 }

  /// Lays the rings out in memory that is zero and ``byteCount`` long, and fills the receive ring with buffers.
  init(kernel: Kernel, memory: consuming SharedMapping, guestBase: UInt64 = 1 << 32) throws(Verification.Step) {
    let layouts = Self.layouts
    let receiveKick = try attempt("eventfd", kernel.eventfd())
    let receiveCall = try attempt("eventfd", kernel.eventfd())
    let transmitKick = try attempt("eventfd", kernel.eventfd())
    let transmitCall = try attempt("eventfd", kernel.eventfd())
    self.kernel = kernel
    receiveLayout = layouts.receive
    transmitLayout = layouts.transmit
    buffers = Self.buffersOffset
    self.guestBase = guestBase
    receiveRing = unsafe DriverRing(layouts.receive, in: memory.baseAddress)
    transmitRing = unsafe DriverRing(layouts.transmit, in: memory.baseAddress)
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

  /// How many frames were sent and are not given back.
  var inFlight: Int { Self.ringSize - transmitRing.room }

  mutating func send(_ frame: [UInt8]) throws(Verification.Step) { try send(frame, isLast: true) }

  /// Puts a frame into the TX ring, and shows it and those before it, unless more are to come at once.
  mutating func send(_ frame: [UInt8], isLast: Bool) throws(Verification.Step) {
    // In the second half.
    let offset = buffers + (Self.ringSize + sent % Self.ringSize) * Self.bufferSize
    unsafe (memory.baseAddress + offset).initializeMemory(as: UInt8.self, repeating: 0, count: Self.headerSize)
    unsafe UnsafeMutableRawBufferPointer(start: memory.baseAddress + offset + Self.headerSize, count: frame.count)
      .copyBytes(from: frame)
    let length = UInt32(Self.headerSize + frame.count)
    guard transmitRing.add(address: guestBase + UInt64(offset), length: length, deviceWrites: false) != nil else {
      throw Verification.Step("TX ring", "vhost does not give its buffers back")
    }
    sent += 1
    guard isLast else { return }
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
    let address = guestBase + UInt64(buffers + buffer * Self.bufferSize)
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
