import BasicContainers
import CLinuxUAPI
import Glibc
import LinuxIO
import SystemPackage
import Testing
import VhostUser
import Virtqueue

@testable import DataPlane

/// A vhost-user front end with a software guest behind it: what a hypervisor is to `mqctl serve`.
struct FrontEnd: ~Copyable {
  private let connection: FrontEndConnection
  /// The guest's side of each pair that was set up.
  var guests = UniqueArray<GuestRings<LinuxKernel>?>()
  private(set) var files = UniqueArray<OwnedDescriptor>()

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
    for pair in 0..<pairs {
      // Twice as much as it needs, so that a region can grow.
      let file = try Self.memory(byteCount: 2 * GuestRings<LinuxKernel>.byteCount)
      let mapping = try LinuxKernel().mmap(
        file.descriptor, offset: 0, byteCount: GuestRings<LinuxKernel>.byteCount)
      guests.append(try GuestRings(kernel: LinuxKernel(), memory: mapping, guestBase: UInt64(pair + 1) << 32))
      files.append(file)
    }
    try tellMemory()
  }

  /// SET_MEM_TABLE: each guest's memory, or `growth` times as much of its file; ADD_MEM_REG for those beyond the eight that
  /// one table has room for.
  func tellMemory(growth: UInt64 = 1) throws {
    var table: [MemoryRegion] = []
    for pair in 0..<guests.count {
      switch guests[pair] {
      case .some(let guest):
        table.append(
          MemoryRegion(
            guestAddress: guest.guestBase, byteCount: growth * UInt64(guest.memory.byteCount),
            userAddress: Self.userAddress(ofPair: pair), fileOffset: 0))
      case .none: break
      }
    }
    let room = 8
    try demand(.setMemTable(Array(table.prefix(room))), with: (0..<min(room, files.count)).map { files[$0].descriptor })
    for (pair, region) in table.enumerated().dropFirst(room) {
      try demand(.addMemReg(region), with: [files[pair].descriptor])
    }
  }

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
      let layout = isReceive ? guest.receiveLayout : guest.transmitLayout
      let file = VringFile(ring: UInt8(ring), hasDescriptor: true)
      let start = Self.userAddress(ofPair: ring / 2)
      try demand(.setVringNum(ring: UInt32(ring), size: layout.size))
      if let base { try demand(.setVringBase(ring: UInt32(ring), base: base)) }
      try demand(
        .setVringAddr(
          ring: UInt32(ring),
          RingAddresses(
            descriptors: start + UInt64(layout.descriptors), used: start + UInt64(layout.used),
            available: start + UInt64(layout.available))))
      try demand(.setVringCall(file), with: [isReceive ? guest.receiveCall.descriptor : guest.transmitCall.descriptor])
      try demand(.setVringKick(file), with: [isReceive ? guest.receiveKick.descriptor : guest.transmitKick.descriptor])
    case .none: break
    }
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
    let socket = try kernel.packetSocket(interfaceIndex: index, etherType: ProbeFrame.etherType)
    var reports = (0..<guests.count).map { Verification.PairReport(pair: $0) }
    ProbeExchange(kernel: kernel, socket: socket.descriptor, frames: frames, patience: 10_000)
      .run(&guests, &reports) { _ in }
    for report in reports {
      #expect(report.passed && report.received == frames, "\(report)", sourceLocation: location)
    }
  }

  /// So many frames out of each pair, one after the other, as many at a time as its ring takes. They are nobody's: of an
  /// Ethertype for experiments, to an address that is not there.
  mutating func flood(frames: Int) throws {
    let frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5] + [UInt8](repeating: 0, count: 64)
    for pair in 0..<guests.count {
      guard var guest = guests[pair].take() else { continue }
      for sent in 1...frames {
        try guest.send(frame)
        guard sent % GuestRings<LinuxKernel>.ringSize == 0 || sent == frames else { continue }
        guard try guest.settle(milliseconds: 20_000) else { throw Errno.timedOut }
      }
      guests[pair] = consume guest
    }
  }

  /// A memfd.
  static func memory(byteCount: Int) throws -> OwnedDescriptor {
    let file = OwnedDescriptor(adopting: FileDescriptor(rawValue: unsafe mq_memfd_create("guest")))
    guard file.rawValue >= 0, ftruncate(file.rawValue, off_t(byteCount)) == 0 else { throw Errno(rawValue: errno) }
    return file
  }
}
