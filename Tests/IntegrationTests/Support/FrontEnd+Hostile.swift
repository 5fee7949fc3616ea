import BasicContainers
import Glibc
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import Synchronization
import Testing
import VhostUser
import Virtqueue

@testable import DataPlane

/// What a guest or its hypervisor can do behind the protocol's back.
extension FrontEnd {
  /// A frame that is nobody's: of an Ethertype for experiments, to an address that is not there.
  static let experiment: [UInt8] =
    [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5] + [UInt8](repeating: 0, count: 64)

  /// Writes to a ring's kick.
  func kick(ring: Int) throws {
    try with(ring / 2) { guest in
      let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
      let event = ring % 2 == 0 ? guest.receiveKick.descriptor : guest.transmitKick.descriptor
      try LinuxKernel().write(one, to: event)
    }
  }

  /// Puts a number where the ring's available index is. Returns what was there.
  func availableIndex(ofRing ring: Int, _ value: UInt16) throws -> UInt16 {
    var old: UInt16 = 0
    try with(ring / 2) { guest in
      let layout = ring % 2 == 0 ? guest.receiveLayout : guest.transmitLayout
      let place = unsafe guest.memory.baseAddress + layout.available + 2
      old = unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self).pointee
        .exchange(value, ordering: .sequentiallyConsistent)
    }
    return old
  }

  /// Makes the file of every guest's memory shorter: nothing is left, or the rings alone. This process has it mapped, too, and
  /// must not touch it any more.
  func truncateMemory(toRings: Bool) throws {
    for index in 0..<files.count {
      try with(index) { guest in
        let rings = (guest.transmitLayout.end + 4095) & ~4095
        guard ftruncate(files[index].rawValue, toRings ? rings : 0) == 0 else { throw Errno(rawValue: errno) }
      }
    }
  }

  /// One frame of the guest's, for which no answer is waited.
  mutating func sendOne(pair: Int) throws {
    guard var guest = guests[pair].take() else { throw Errno.noSuchAddressOrDevice }
    try guest.send(Self.experiment)
    guests[pair] = consume guest
  }

  /// Sends a frame that must be given back, and says whether the device had to be kicked for it.
  mutating func needsKickToSend(pair: Int) throws -> Bool {
    guard var guest = guests[pair].take() else { throw Errno.noSuchAddressOrDevice }
    let kernel = LinuxKernel()
    _ = try kernel.readFrame(from: guest.transmitKick.descriptor, atMost: 8)
    try guest.send(Self.experiment)
    #expect(try guest.settle(milliseconds: 20_000))
    let kicks = try kernel.readFrame(from: guest.transmitKick.descriptor, atMost: 8)
    guests[pair] = consume guest
    return kicks != nil
  }

  /// Takes frames until there are so many, or none comes for 20 s. Returns how many came.
  mutating func receiveAll(pair: Int, atLeast wanted: Int) throws -> Int {
    guard var guest = guests[pair].take() else { throw Errno.noSuchAddressOrDevice }
    var count = 0
    while count < wanted {
      if try guest.receive() != nil {
        count += 1
      } else if try !LinuxKernel().poll([guest.arrival], milliseconds: 20_000)[0] {
        break
      }
    }
    guests[pair] = consume guest
    return count
  }

  /// Frames both ways through one pair.
  mutating func exchange(
    frames: Int, onTap index: Int, pair: Int, at location: SourceLocation = #_sourceLocation
  ) throws {
    let kernel = LinuxKernel()
    let socket = try kernel.packetSocket(interfaceIndex: index, etherType: ProbeFrame.etherType)
    var reports = (0..<guests.count).map { Verification.PairReport(pair: $0) }
    var alone = UniqueArray<GuestRings<LinuxKernel>?>()
    for other in 0..<guests.count { alone.append(other == pair ? guests[pair].take() : nil) }
    ProbeExchange(kernel: kernel, socket: socket.descriptor, frames: frames, patience: 10_000)
      .run(&alone, &reports) { _ in }
    guests[pair] = alone[pair].take()
    #expect(reports[pair].passed && reports[pair].received == frames, "\(reports[pair])", sourceLocation: location)
  }

  private func with(_ pair: Int, _ body: (borrowing GuestRings<LinuxKernel>) throws -> Void) throws {
    switch guests[pair] {
    case .some(let guest): try body(guest)
    case .none: throw Errno.noSuchAddressOrDevice
    }
  }
}
