import BasicContainers
import CLinuxUAPI
import Glibc
import LinuxIO
import SystemPackage
import TapMQ
import Testing
import VhostUser
import VhostUserFuzzing
import Virtqueue

@testable import DataPlane

/// A vhost-user front end with a software guest behind it: what a hypervisor is to `mqctl serve`.
struct FrontEnd: ~Copyable {
  private let connection: FrontEndConnection
  /// The guest's side of each pair that was set up.
  var guests = UniqueArray<GuestRings<LinuxKernel>?>()
  private(set) var files = UniqueArray<OwnedDescriptor>()
  private var layouts: [(receive: SplitRingLayout, transmit: SplitRingLayout)] = []

  init(connectingTo path: String) throws {
    connection = try FrontEndConnection(connectingTo: path)
  }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8], with descriptors: [FileDescriptor] = []) throws {
    try connection.send(bytes, with: descriptors)
  }

  /// Sends a message and reads its answer.
  func ask(
    _ message: FrontEndMessage, with descriptors: [FileDescriptor] = [], needsReply: Bool = false
  ) throws -> BackEndReply {
    try connection.ask(message, with: descriptors, needsReply: needsReply)
  }

  /// Likewise of a message whose answer is a number.
  func number(_ message: FrontEndMessage, with descriptors: [FileDescriptor] = []) throws -> UInt64 {
    try connection.number(message, with: descriptors)
  }

  /// Sends a message that must be done.
  func demand(
    _ message: FrontEndMessage, with descriptors: [FileDescriptor] = [], at location: SourceLocation = #_sourceLocation
  ) throws {
    let answer = try number(message, with: descriptors)
    #expect(answer == 0, "\(message)", sourceLocation: location)
  }

  /// What comes next.
  func read(_ count: Int) throws -> [UInt8] { try connection.read(count) }

  /// Whether the other side closes, and has nothing more to say.
  func isClosedByPeer() throws -> Bool {
    do {
      _ = try read(1)
      return false
    } catch FrontEndConnection.Failure.closed {
      return true
    }
  }

  // MARK: A whole device

  /// Features and owner, with everything that is offered of the protocol.
  func negotiate(_ features: DeviceFeatures = [.version1, .protocolFeatures]) throws {
    let offered = DeviceFeatures(rawValue: try number(.getFeatures))
    #expect(offered.isSuperset(of: features), "\(offered.names)")
    try send(FrontEndMessage.setOwner.encoded())
    let ours = ProtocolFeatures(rawValue: try number(.getProtocolFeatures))
    #expect(ours.isSuperset(of: [.multiQueue, .replyAck]), "\(ours.names)")
    try demand(.setProtocolFeatures(ours))
    try demand(.setFeatures(features))
  }

  /// Fresh memory for so many guests, told in one table.
  mutating func share(pairs: Int) throws {
    guests = UniqueArray()
    files = UniqueArray()
    layouts = []
    for pair in 0..<pairs {
      // Twice as much as it needs, so that a region can grow.
      let file = try Self.memory(byteCount: 2 * GuestRings<LinuxKernel>.byteCount)
      let mapping = try LinuxKernel().mmap(
        file.descriptor, offset: 0, byteCount: GuestRings<LinuxKernel>.byteCount)
      let guest = try GuestRings(kernel: LinuxKernel(), memory: mapping, guestBase: Self.guestBase(ofPair: pair))
      layouts.append((guest.receiveLayout, guest.transmitLayout))
      guests.append(consume guest)
      files.append(file)
    }
    try tellMemory()
  }

  /// SET_MEM_TABLE: each guest's memory, or `growth` times as much of its file; ADD_MEM_REG for those beyond the eight that
  /// one table has room for.
  func tellMemory(growth: UInt64 = 1) throws {
    let table = (0..<files.count).map { pair in
      MemoryRegion(
        guestAddress: Self.guestBase(ofPair: pair), byteCount: growth * UInt64(GuestRings<LinuxKernel>.byteCount),
        userAddress: Self.userAddress(ofPair: pair), fileOffset: 0)
    }
    let room = 8
    try demand(.setMemTable(Array(table.prefix(room))), with: (0..<min(room, files.count)).map { files[$0].descriptor })
    for (pair, region) in table.enumerated().dropFirst(room) {
      try demand(.addMemReg(region), with: [files[pair].descriptor])
    }
  }

  private static func guestBase(ofPair pair: Int) -> UInt64 { UInt64(pair + 1) << 32 }

  /// Where a front end says that it has a guest's memory: no address of anybody's.
  private static func userAddress(ofPair pair: Int) -> UInt64 { UInt64(pair + 1) << 40 }

  /// Sets every pair's rings up; nothing runs yet.
  ///
  /// - Parameter base: where a ring starts; nil: that is not said.
  func setRingsUp(from base: (Int) -> UInt16? = { _ in 0 }) throws {
    for ring in 0..<2 * guests.count { try setRingUp(ring, base: base(ring)) }
  }

  /// Sets one ring up.
  func setRingUp(_ ring: Int, base: UInt16?) throws {
    switch guests[ring / 2] {
    case .some(let guest):
      let isReceive = ring % 2 == 0
      let file = VringFile(ring: UInt8(ring), hasDescriptor: true)
      try demand(.setVringNum(ring: UInt32(ring), size: GuestRings<LinuxKernel>.ringSize))
      if let base { try demand(.setVringBase(ring: UInt32(ring), base: base)) }
      try tellAddresses(of: ring, isLogged: false)
      try demand(.setVringCall(file), with: [isReceive ? guest.receiveCall.descriptor : guest.transmitCall.descriptor])
      try demand(.setVringKick(file), with: [isReceive ? guest.receiveKick.descriptor : guest.transmitKick.descriptor])
    case .none: break
    }
  }

  /// SET_VRING_ADDR of every ring, as it is at the beginning and at the end of a migration.
  func tellAddresses(isLogged: Bool) throws {
    for ring in 0..<2 * files.count { try tellAddresses(of: ring, isLogged: isLogged) }
  }

  private func tellAddresses(of ring: Int, isLogged: Bool) throws {
    let layout = ring % 2 == 0 ? layouts[ring / 2].receive : layouts[ring / 2].transmit
    let base = Self.userAddress(ofPair: ring / 2)
    try demand(
      .setVringAddr(
        ring: UInt32(ring),
        RingAddresses(
          descriptors: base + UInt64(layout.descriptors), used: base + UInt64(layout.used),
          available: base + UInt64(layout.available),
          usedLog: isLogged ? Self.guestBase(ofPair: ring / 2) + UInt64(layout.used) : nil)))
  }

  /// Both rings of a pair.
  func enable(_ pair: Int, _ isEnabled: Bool = true) throws {
    for ring in 2 * pair...2 * pair + 1 {
      try demand(.setVringEnable(ring: UInt32(ring), isEnabled: isEnabled))
    }
  }

  /// All that there is.
  mutating func start(pairs: Int, _ features: DeviceFeatures = [.version1, .protocolFeatures]) throws {
    try negotiate(features)
    try share(pairs: pairs)
    try setRingsUp()
    for pair in 0..<pairs { try enable(pair) }
  }

  /// Frames both ways through every pair, seen on the tap.
  mutating func exchange(
    frames: Int, onTap index: Int, at location: SourceLocation = #_sourceLocation
  ) throws {
    let kernel = LinuxKernel()
    let socket = try Self.listen(onTap: index)
    var reports = (0..<guests.count).map { Verification.PairReport(pair: $0) }
    ProbeExchange(kernel: kernel, socket: socket.descriptor, frames: frames, patience: 10_000)
      .run(&guests, &reports) { _ in }
    for report in reports {
      #expect(report.passed && report.received == frames, "\(report)", sourceLocation: location)
    }
  }

  /// Frames through every pair from now on, beside whatever else is done. The guests are the traffic's from then on.
  mutating func traffic(onTap index: Int) throws -> Traffic {
    var guests = UniqueArray<GuestRings<LinuxKernel>?>()
    swap(&guests, &self.guests)
    return Traffic(guests, try Self.listen(onTap: index))
  }

  /// Once the tap lets frames through: its carrier came with the first pair, and the kernel has to notice.
  private static func listen(onTap index: Int) throws -> OwnedDescriptor {
    let links = try LinkSession()
    guard try eventually(seconds: 20, { try links.links().contains { $0.index == index && $0.isOperational } }) else {
      throw Errno.timedOut
    }
    return try LinuxKernel().packetSocket(interfaceIndex: index, etherType: ProbeFrame.etherType)
  }

  /// Takes guest memory away behind everybody's back (ftruncate(2)). Whoever looks into it gets a SIGBUS.
  func truncateMemory() throws {
    for pair in 0..<files.count {
      guard ftruncate(files[pair].rawValue, 0) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  /// As if the guest had made buffers available, in every ring.
  func kick() throws {
    for pair in 0..<guests.count {
      switch guests[pair] {
      case .some(let guest):
        for event in [guest.receiveKick.descriptor, guest.transmitKick.descriptor] {
          try LinuxKernel().write([1, 0, 0, 0, 0, 0, 0, 0], to: event)
        }
      case .none: break
      }
    }
  }

  /// Fills both rings of each guest with nonsense: descriptors, indices and all.
  func scribble(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for pair in 0..<guests.count {
      switch guests[pair] {
      case .some(let guest):
        for offset in stride(from: guest.receiveLayout.descriptors, to: guest.transmitLayout.end & ~7, by: 8) {
          unsafe guest.memory.baseAddress.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
        }
      case .none: break
      }
    }
  }

  /// Ends this side of the conversation (shutdown(2)) and reads until the other side ends it too. Returns how much came.
  func finish() throws -> Int {
    _ = shutdown(connection.descriptor.rawValue, CInt(SHUT_WR))
    var count = 0
    do {
      while true { count += try read(1).count }
    } catch let failure as FrontEndConnection.Failure where failure.isTheEnd {
      return count
    }
  }

  /// So many frames out of each pair, as many at a time as its ring takes, and shown at a time: a kernel in user mode, as the
  /// lab's, reads an index byte by byte, and an index that changes at just that moment is none that vhost takes. They are
  /// nobody's.
  mutating func flood(frames: Int) throws {
    for pair in 0..<guests.count {
      guard var guest = guests[pair].take() else { continue }
      for sent in 1...frames {
        let isLast = sent % GuestRings<LinuxKernel>.ringSize == 0 || sent == frames
        try guest.send(Self.experiment, isLast: isLast)
        guard isLast else { continue }
        guard try guest.settle(milliseconds: 20_000) else { throw Errno.timedOut }
      }
      guests[pair] = consume guest
    }
  }

  /// A memfd.
  static func memory(byteCount: Int) throws -> OwnedDescriptor {
    try MemoryFile.create("guest", byteCount: byteCount)
  }
}

extension FrontEndConnection.Failure {
  /// The back end has closed the connection, whatever was on its way then.
  var isTheEnd: Bool { [.closed, .system(.connectionReset), .system(.brokenPipe)].contains(self) }
}
