internal import LinuxIO
internal import Synchronization
internal import SystemPackage
internal import VhostUser
internal import Virtqueue

/// One queue pair under load: its guest's driver, and who sends to that guest from the tap's other side.
///
/// Made by the measuring process, used by the generator that is forked after that. The loops allocate nothing, and wait for
/// the device's call where there is nothing to do.
@safe internal struct LoadPair: ~Copyable {
  /// How many frames go into the rings, or to the tap, before the other direction has its turn.
  private static let batch = 64
  /// How long frames to the guest may be on their way before they count as lost.
  private static let patience: UInt64 = 200_000_000
  /// How often a guest that only receives sends a frame: tun forgets after 3 s which queue a flow came from.
  private static let flowInterval: UInt64 = 500_000_000

  // The rings point into the memory, which is the rig's: it outlives this.
  private var receiveRing: DriverRing
  private var transmitRing: DriverRing
  private let memory: UnsafeMutableRawPointer
  private let guestBase: UInt64
  private let layout: LoadLayout
  private let index: Int
  private let size: Int
  private let mark: UInt64
  /// Frames on their way to the guest at one time: no more than its ring has buffers for, and 2 MiB. Far fewer than a tap queue
  /// holds, so that none is dropped for want of room.
  private let window: Int
  private let isMergeable: Bool
  // What the last frame came in.
  private var parts = InlineArray<64, DriverRing.Used>(repeating: .init(id: 0, length: 0))
  private var partBuffers = InlineArray<64, UInt16>(repeating: 0)
  // Which buffer a receive descriptor has.
  private let receiveBuffers: UnsafeMutablePointer<UInt16>
  private var nextTransmit = 0
  private let echoChecksum: UInt16
  private let echoSize: Int

  /// Written by the driver, and by the device.
  let receiveKick: OwnedDescriptor
  let receiveCall: OwnedDescriptor
  let transmitKick: OwnedDescriptor
  let transmitCall: OwnedDescriptor

  private var transmitted = 0
  private var received = 0
  private var sent = 0
  private var stray = 0
  private var foreign = 0
  private var inFlight = 0
  private var echoes = 0
  private var echoesLost = 0

  /// What ends a generator.
  struct Failure: Error {
    let text: String
  }

  /// Lays a pair's memory out, which is zero, and fills the receive ring.
  ///
  /// - Parameters:
  ///   - memory: of the pair, ``LoadLayout/byteCount`` long.
  ///   - guestBase: where the guest has it.
  ///   - destination: whom frames from the guest are for.
  ///   - answerer: who answers echoes.
  ///   - features: those that were negotiated.
  init(
    _ frame: LoadFrame, size: Int, layout: LoadLayout, memory: UnsafeMutableRawPointer, guestBase: UInt64,
    destination: [UInt8], answerer: [UInt8], features: DeviceFeatures
  ) throws(Errno) {
    let kernel = LinuxKernel()
    let receiveKick = try kernel.eventfd()
    let receiveCall = try kernel.eventfd()
    let transmitKick = try kernel.eventfd()
    let transmitCall = try kernel.eventfd()
    self.receiveKick = receiveKick
    self.receiveCall = receiveCall
    self.transmitKick = transmitKick
    self.transmitCall = transmitCall
    unsafe self.memory = memory
    self.guestBase = guestBase
    self.layout = layout
    index = frame.pair
    self.size = size
    mark = frame.mark
    window = min(layout.receiveFrames, max(16, (2 << 20) / size))
    isMergeable = features.contains(.mergeableReceiveBuffers)
    let eventIndex = features.contains(.eventIndex)
    unsafe receiveBuffers = .allocate(capacity: LoadLayout.ringSize)
    unsafe receiveBuffers.initialize(repeating: 0, count: LoadLayout.ringSize)
    receiveRing = unsafe DriverRing(layout.receive, in: memory, eventIndex: eventIndex)
    transmitRing = unsafe DriverRing(layout.transmit, in: memory, eventIndex: eventIndex)
    echoSize = min(size, LoadFrame.plainLimit)
    let bytes = LoadFrame.header(size: size) + frame.bytes(size: size, toGuest: false, destination: destination)
    for buffer in 0..<layout.transmitCount {
      unsafe Self.put(bytes, at: memory + layout.transmitBuffers + buffer * layout.transmitStride)
    }
    let echo = LoadFrame.header(size: echoSize) + frame.echo(size: echoSize, destination: answerer)
    unsafe Self.put(echo, at: memory + layout.echo)
    let check = LoadFrame.headerByteCount + LoadFrame.echoChecksumOffset
    echoChecksum = UInt16(echo[check]) << 8 | UInt16(echo[check + 1])
    for buffer in 0..<layout.receiveCount { post(UInt16(buffer)) }
    receiveRing.publish()
  }

  deinit {
    unsafe receiveBuffers.deallocate()
  }

  // MARK: The generator

  /// Carries out commands until the last one.
  ///
  /// - Parameter sender: sends this pair's frames to the tap; nil where there is no tap.
  mutating func serve(_ board: borrowing LoadBoard, _ sender: borrowing PacketSender?) throws(Failure) {
    let waiter = EventWaiter([receiveCall.descriptor, transmitCall.descriptor])
    receiveRing.suppressCalls()
    transmitRing.suppressCalls()
    while true {
      let command = board.command
      switch command {
      case .idle: waiter.wait(milliseconds: 1)
      case .end: return
      case .transmit, .receive, .both: try flood(command, board, sender, waiter)
      case .echo: try echo(board, waiter)
      }
      reap()
      publish(board)
      board.set(.state, of: index, to: Int(LoadBoard.Command.idle.rawValue))
    }
  }

  /// Frames out of the guest, to the guest, or both, as many as go, until the command changes; then waits for those that
  /// are on their way.
  private mutating func flood(
    _ command: LoadBoard.Command, _ board: borrowing LoadBoard, _ sender: borrowing PacketSender?,
    _ waiter: borrowing EventWaiter
  ) throws(Failure) {
    // tun notes which queue a flow came from once it has passed a frame of it on, and vhost gives its buffer back then.
    try settle(sending: 1, waiter)
    board.set(.state, of: index, to: Int(command.rawValue))
    var lastArrival = MonotonicClock.nanoseconds
    var lastFlow = lastArrival
    var lastProgress = lastArrival
    while board.command == command {
      let now = MonotonicClock.nanoseconds
      var progress = 0
      if command.sends {
        progress = pumpTransmit(Self.batch)
      } else if command.receives, now &- lastFlow > Self.flowInterval {
        lastFlow = now
        progress = pumpTransmit(1)
      }
      let arrived = reap()
      if arrived > 0 { lastArrival = now }
      progress += arrived
      if command.receives { progress += try pumpSend(sender) }
      if inFlight > 0, now &- lastArrival > Self.patience {
        inFlight = 0
        lastArrival = now
      }
      publish(board)
      if progress > 0 {
        lastProgress = now
      } else {
        try check()
        if command.sends, now &- lastProgress > 5_000_000_000 {
          throw Failure(text: "the back end has taken nothing from its transmit ring for 5 s")
        }
        // As a guest's driver does, not for every buffer: half of what is on its way.
        sleep(waiter, received: inFlight / 2, transmitted: (LoadLayout.ringSize - transmitRing.room) / 2)
      }
    }
    try settle(sending: 0, waiter)
    let end = MonotonicClock.nanoseconds &+ 2_000_000_000
    while inFlight > 0, MonotonicClock.nanoseconds < end {
      if reap() == 0 { sleep(waiter) }
    }
    inFlight = 0
  }

  /// One round trip after the other.
  private mutating func echo(_ board: borrowing LoadBoard, _ waiter: borrowing EventWaiter) throws(Failure) {
    let samples = unsafe board.samples(of: index)
    var sequence: UInt16 = 0
    // The first answer may come out of another pair: tun does not know the flow yet.
    _ = try roundTrip(sequence, limit: 50_000_000, waiter)
    board.set(.state, of: index, to: Int(LoadBoard.Command.echo.rawValue))
    while board.command == .echo {
      sequence &+= 1
      if let time = try roundTrip(sequence, limit: 500_000_000, waiter) {
        if echoes < LoadBoard.sampleLimit { unsafe samples[echoes] = UInt32(clamping: time) }
        echoes += 1
      } else {
        echoesLost += 1
      }
      publish(board)
    }
  }

  /// Sends an echo and waits for its answer: how long that took, in nanoseconds; nil if it did not come in time.
  private mutating func roundTrip(
    _ sequence: UInt16, limit: UInt64, _ waiter: borrowing EventWaiter
  ) throws(Failure) -> UInt64? {
    let frame = unsafe memory + layout.echo + LoadFrame.headerByteCount
    let checksum = LoadFrame.echoChecksum(echoChecksum, sequence: sequence)
    unsafe frame.storeBytes(of: sequence.bigEndian, toByteOffset: LoadFrame.echoSequenceOffset, as: UInt16.self)
    unsafe frame.storeBytes(of: checksum.bigEndian, toByteOffset: LoadFrame.echoChecksumOffset, as: UInt16.self)
    let start = MonotonicClock.nanoseconds
    let address = guestBase &+ UInt64(layout.echo)
    guard
      transmitRing.add(
        address: address, length: UInt32(LoadFrame.headerByteCount + echoSize), deviceWrites: false) != nil
    else { throw Failure(text: "the back end does not give transmit buffers back") }
    transmitRing.publish()
    if transmitRing.needsKick { EventWaiter.signal(transmitKick.descriptor) }
    while true {
      let isAnswered = takeAnswer(to: sequence)
      let now = MonotonicClock.nanoseconds
      if isAnswered {
        try settle(sending: 0, waiter)
        return now &- start
      }
      guard now &- start < limit else {
        try settle(sending: 0, waiter)
        return nil
      }
      try check()
      sleep(waiter)
    }
  }

  /// Waits until the device has used more than so many buffers of either ring, where it can be told so; or a moment.
  private func sleep(_ waiter: borrowing EventWaiter, received: Int = 0, transmitted: Int = 0) {
    // Both are asked, so no short cut: either may have something already.
    let hasReceived = receiveRing.requestCalls(after: UInt16(truncatingIfNeeded: received))
    let hasTransmitted = transmitRing.requestCalls(after: UInt16(truncatingIfNeeded: transmitted))
    if !hasReceived, !hasTransmitted { waiter.wait(milliseconds: 10) }
    receiveRing.suppressCalls()
    transmitRing.suppressCalls()
  }

  // MARK: Rings

  /// Gives the device up to so many frames, after taking back what it has used. Returns how many frames moved.
  private mutating func pumpTransmit(_ limit: Int) -> Int {
    var progress = reapTransmit()
    var added = 0
    while added < limit {
      let address =
        guestBase &+ UInt64(truncatingIfNeeded: layout.transmitBuffers &+ nextTransmit &* layout.transmitStride)
      guard
        transmitRing.add(
          address: address, length: UInt32(truncatingIfNeeded: LoadFrame.headerByteCount &+ size), deviceWrites: false)
          != nil
      else { break }
      nextTransmit &+= 1
      if nextTransmit == layout.transmitCount { nextTransmit = 0 }
      added &+= 1
    }
    if added > 0 {
      transmitRing.publish()
      if transmitRing.needsKick { EventWaiter.signal(transmitKick.descriptor) }
      progress &+= added
    }
    return progress
  }

  private mutating func reapTransmit() -> Int {
    var count = 0
    while transmitRing.takeUsed() != nil { count &+= 1 }
    transmitted &+= count
    return count
  }

  /// Takes what has come out of both rings; returns how many frames came for the guest.
  @discardableResult
  private mutating func reap() -> Int {
    _ = reapTransmit()
    var count = 0
    while let frame = takeFrame() {
      count &+= 1
      classify(frame)
      post(frame)
    }
    if count > 0 {
      receiveRing.publish()
      if receiveRing.needsKick { EventWaiter.signal(receiveKick.descriptor) }
    }
    return count
  }

  /// A frame that came: where it begins in the memory, behind the header, how long it is with that, and in how many buffers.
  private struct Arrival {
    let start: Int
    let byteCount: Int
    let bufferCount: Int
  }

  /// Takes a frame that the device has put into the receive ring's buffers, which are then to be posted again.
  private mutating func takeFrame() -> Arrival? {
    let (memory, buffers, layout, isMergeable) = unsafe (memory, receiveBuffers, layout, isMergeable)
    var span = parts.mutableSpan
    let count = receiveRing.takeFrame(into: &span) { first in
      guard isMergeable else { return 1 }
      // num_buffers (virtio 1.2 §5.1.6.4).
      let place = unsafe layout.receiveBuffers &+ Int(buffers[Int(first.id)]) &* layout.receiveStride
      return unsafe memory.loadUnaligned(fromByteOffset: place &+ 10, as: UInt16.self)
    }
    guard count > 0 else { return nil }
    var byteCount = 0
    for position in 0..<count {
      let part = parts[position]
      partBuffers[position] = unsafe buffers[Int(part.id)]
      byteCount &+= part.length
    }
    let place = layout.receiveBuffers &+ Int(partBuffers[0]) &* layout.receiveStride
    return Arrival(start: place &+ LoadFrame.headerByteCount, byteCount: byteCount, bufferCount: count)
  }

  /// Gives the device the buffers of the frame that came last.
  private mutating func post(_ frame: Arrival) {
    for position in 0..<frame.bufferCount { post(partBuffers[position]) }
  }

  private mutating func classify(_ frame: Arrival) {
    guard frame.byteCount == LoadFrame.headerByteCount &+ size else {
      foreign &+= 1
      return
    }
    let found = unsafe memory.loadUnaligned(
      fromByteOffset: frame.start &+ LoadFrame.markOffset(size), as: UInt64.self)
    if found == mark {
      received &+= 1
      if inFlight > 0 { inFlight &-= 1 }
    } else if found >> 32 == mark >> 32 {
      stray &+= 1
    } else {
      foreign &+= 1
    }
  }

  /// Takes what has come for the guest until the answer is among it.
  private mutating func takeAnswer(to sequence: UInt16) -> Bool {
    var isAnswered = false
    var count = 0
    while !isAnswered, let frame = takeFrame() {
      count += 1
      if frame.byteCount == LoadFrame.headerByteCount + echoSize,
        word(frame.start + LoadFrame.echoIdentifierOffset) == UInt16(truncatingIfNeeded: index),
        word(frame.start + LoadFrame.echoSequenceOffset) == sequence
      {
        isAnswered = true
      } else {
        foreign += 1
      }
      post(frame)
    }
    if count > 0 {
      receiveRing.publish()
      if receiveRing.needsKick { EventWaiter.signal(receiveKick.descriptor) }
    }
    return isAnswered
  }

  /// A word of a frame, in network order.
  private func word(_ offset: Int) -> UInt16 {
    unsafe memory.loadUnaligned(fromByteOffset: offset, as: UInt16.self).bigEndian
  }

  /// Sends to the tap what the window has room for.
  private mutating func pumpSend(_ sender: borrowing PacketSender?) throws(Failure) -> Int {
    let room = window &- inFlight
    // A call for one frame costs as much as one for many.
    guard room >= min(Self.batch, window / 2) else { return 0 }
    switch sender {
    case .some(let sender):
      let count: Int
      do throws(Errno) {
        count = try sender.send(min(room, Self.batch))
      } catch {
        throw Failure(text: "sending to the tap: \(error)")
      }
      sent &+= count
      inFlight &+= count
      return count
    case .none: return 0
    }
  }

  private mutating func post(_ buffer: UInt16) {
    let address = guestBase &+ UInt64(truncatingIfNeeded: layout.receiveBuffers &+ Int(buffer) &* layout.receiveStride)
    if let id = receiveRing.add(
      address: address, length: UInt32(truncatingIfNeeded: layout.receiveStride), deviceWrites: true)
    {
      unsafe receiveBuffers[Int(id)] = buffer
    }
  }

  /// Sends so many frames and waits until the device has given every transmit buffer back.
  private mutating func settle(sending count: Int, _ waiter: borrowing EventWaiter) throws(Failure) {
    if count > 0 { _ = pumpTransmit(count) }
    let end = MonotonicClock.nanoseconds &+ 10_000_000_000
    while true {
      _ = reapTransmit()
      if transmitRing.room == LoadLayout.ringSize { return }
      try check()
      guard MonotonicClock.nanoseconds < end else {
        throw Failure(text: "the back end has kept transmit buffers for 10 s")
      }
      sleep(waiter)
    }
  }

  private func check() throws(Failure) {
    guard !receiveRing.isBroken, !transmitRing.isBroken else {
      throw Failure(text: "the back end has named a buffer that it cannot have")
    }
  }

  private func publish(_ board: borrowing LoadBoard) {
    board.set(.transmitted, of: index, to: transmitted)
    board.set(.received, of: index, to: received)
    board.set(.sent, of: index, to: sent)
    board.set(.stray, of: index, to: stray)
    board.set(.foreign, of: index, to: foreign)
    board.set(.echoes, of: index, to: echoes)
    board.set(.echoesLost, of: index, to: echoesLost)
  }

  private static func put(_ bytes: [UInt8], at address: UnsafeMutableRawPointer) {
    unsafe UnsafeMutableRawBufferPointer(start: address, count: bytes.count).copyBytes(from: bytes)
  }
}
