import BasicContainers
import Foundation
import LinuxIO
import Synchronization
import SystemPackage
import Virtqueue

@testable import DataPlane

/// Frames both ways through every pair without end, on a thread of its own, while a test does something else: out of a pair's
/// TX ring, seen on the tap, answered there, and back through whichever pair tun chooses. Each frame has a number, and
/// none may be missing or come twice.
///
/// A guest keeps at most ``window`` frames of a pair on their way, so that no queue of the kernel's overflows.
final class Traffic: @unchecked Sendable {
  /// What has become of a pair's frames.
  struct Tally: Equatable {
    var sent = 0
    var received = 0
    /// Their answers went to a queue that was detached just then, which purges it.
    var forgiven = 0
  }

  /// What the threads share.
  private struct State {
    var tallies: [Tally]
    var faults: [String] = []
    /// Whether answers to a pair's frames may be lost.
    var mayLose: [Bool]
    /// How often that has begun: it may be over before the thread looks.
    var losses: [Int]
    /// Whether writes to guest memory are to be found in the log, and the pages that must be.
    var isLogging = false
    var written: Set<UInt64> = []
    var isEnding = false
    var hasEnded = false
  }

  /// A frame on its way.
  private struct Frame {
    var isSeen = false
    /// Whether it was sent, and answered, while writes were logged.
    var isSentLogged = false
    var isAnsweredLogged = false
  }

  private let state: Mutex<State>
  // The thread's own until it has ended.
  private var guests: UniqueArray<GuestRings<LinuxKernel>?>
  private let socket: OwnedDescriptor
  private let kernel = LinuxKernel()
  private let run = UInt64.random(in: .min ... .max)
  private let window: Int
  private var frames: [[UInt32: Frame]]
  private var next: [UInt32]
  private var answerable: [[UInt32]]
  private var forgiven: [Set<UInt32>]
  private var settledLosses: [Int]
  // What was taken from each used ring so far.
  private var taken: [(receive: UInt16, transmit: UInt16)]

  /// Starts. The socket is a packet socket that is bound to the tap, for ``ProbeFrame/etherType``.
  init(_ guests: consuming UniqueArray<GuestRings<LinuxKernel>?>, _ socket: consuming OwnedDescriptor) {
    let count = guests.count
    state = Mutex(
      State(
        tallies: Array(repeating: Tally(), count: count), mayLose: Array(repeating: false, count: count),
        losses: Array(repeating: 0, count: count)))
    self.guests = guests
    self.socket = socket
    window = max(2, min(8, 64 / count))
    frames = Array(repeating: [:], count: count)
    next = Array(repeating: 0, count: count)
    answerable = Array(repeating: [], count: count)
    forgiven = Array(repeating: [], count: count)
    settledLosses = Array(repeating: 0, count: count)
    taken = Array(repeating: (0, 0), count: count)
    Thread { self.pump() }.start()
  }

  var tallies: [Tally] { state.withLock { $0.tallies } }
  var faults: [String] { state.withLock { $0.faults } }

  /// Waits until each of these pairs has had so many more of its frames answered.
  func expectProgress(_ count: Int = 20, of pairs: some Collection<Int>) -> Bool {
    let before = tallies
    return eventually(seconds: 60) {
      let now = tallies
      return pairs.allSatisfy { now[$0].received - before[$0].received >= count } || !faults.isEmpty
    } && faults.isEmpty
  }

  /// A pair is about to be disabled, or runs again.
  func setMayLose(_ pair: Int, _ mayLose: Bool) {
    state.withLock {
      $0.mayLose[pair] = mayLose
      if mayLose { $0.losses[pair] += 1 }
    }
  }

  /// From now on, or no longer, what is written to guest memory must be found in the log. Returns the pages so far.
  @discardableResult
  func setLogging(_ isLogging: Bool) -> Set<UInt64> {
    state.withLock {
      $0.isLogging = isLogging
      let pages = $0.written
      if isLogging { $0.written = [] }
      return pages
    }
  }

  /// Ends it: no further frame is sent, and what is on its way arrives. Returns what did not.
  func end() -> [String] {
    state.withLock { $0.isEnding = true }
    guard eventually(seconds: 90, { state.withLock { $0.hasEnded } }) else { return ["the thread goes on"] }
    return faults
  }

  // MARK: The thread

  private func pump() {
    var drain: Deadline?
    do {
      while true {
        let isEnding = state.withLock { $0.isEnding }
        if isEnding, drain == nil { drain = Deadline(30) }
        var isMoving = try watchTheTap()
        for pair in 0..<guests.count { isMoving = try turn(pair, sends: !isEnding) || isMoving }
        settleAccounts()
        let left = frames.enumerated().filter { !$0.element.isEmpty }
        if let drain, left.isEmpty || drain.isOver {
          for (pair, frames) in left {
            fault("pair \(pair): \(frames.count) lost, seen on the tap: \(frames.values.count(where: \.isSeen))")
          }
          break
        }
        if !isMoving { try wait() }
      }
    } catch {
      fault("\(error)")
    }
    state.withLock { $0.hasEnded = true }
  }

  private func fault(_ text: String) { state.withLock { $0.faults.append(text) } }

  /// Everything that a pair's guest does in turn. True if anything moved.
  private func turn(_ pair: Int, sends: Bool) throws -> Bool {
    guard var guest = guests[pair].take() else { return false }
    let isMoving = try turn(pair, &guest, sends)
    guests[pair] = consume guest
    return isMoving
  }

  private func turn(_ pair: Int, _ guest: inout GuestRings<LinuxKernel>, _ sends: Bool) throws -> Bool {
    var isMoving = false
    while pending(guest.receiveLayout, guest, taken[pair].receive) > 0 {
      let buffer = nextBuffer(of: guest, taken[pair].receive)
      guard let bytes = try guest.receive() else { break }
      taken[pair].receive &+= 1
      isMoving = true
      if let frame = ProbeFrame(bytes), frame.run == run, frame.isAnswer {
        arrived(frame, through: guest, buffer)
      }
    }
    let before = guest.inFlight
    if pending(guest.transmitLayout, guest, taken[pair].transmit) > 0 {
      _ = try guest.settle(milliseconds: 0)
      taken[pair].transmit &+= UInt16(truncatingIfNeeded: before - guest.inFlight)
      isMoving = true
    }
    // What the worker has given back it is through with: tun knows the flow.
    let back = next[pair] &- UInt32(guest.inFlight)
    let isLogging = state.withLock { $0.isLogging }
    while let first = answerable[pair].first(where: { $0 < back }) {
      let frame = ProbeFrame(run: run, pair: UInt16(pair), flow: UInt16(first % 8), sequence: first)
      do {
        try kernel.write(frame.answer.bytes, to: socket.descriptor)
      } catch {
        // There is no queue where tun last saw that flow: the host is told, and tries again.
        guard error == .noBufferSpace, state.withLock({ $0.losses[pair] }) != settledLosses[pair] else { throw error }
        break
      }
      answerable[pair].removeAll { $0 == first }
      frames[pair][first]?.isAnsweredLogged = isLogging
      isMoving = true
    }
    while sends, frames[pair].count < window, guest.inFlight < window {
      let number = next[pair]
      next[pair] += 1
      frames[pair][number] = Frame(isSentLogged: isLogging)
      try guest.send(
        ProbeFrame(run: run, pair: UInt16(pair), flow: UInt16(number % 8), sequence: number).bytes)
      state.withLock { $0.tallies[pair].sent += 1 }
      isMoving = true
    }
    return isMoving
  }

  /// An answer came out of some pair's ring.
  private func arrived(_ frame: ProbeFrame, through guest: borrowing GuestRings<LinuxKernel>, _ buffer: UInt64) {
    let pair = Int(frame.pair)
    guard let sent = frames[pair].removeValue(forKey: frame.sequence) else {
      if forgiven[pair].remove(frame.sequence) == nil { fault("pair \(pair): frame \(frame.sequence) came twice") }
      return
    }
    state.withLock {
      $0.tallies[pair].received += 1
      guard sent.isAnsweredLogged, $0.isLogging else { return }
      let used = guest.guestBase + UInt64(guest.receiveLayout.used)
      $0.written.formUnion([buffer / 4096, used / 4096])
      // The TX ring is this pair's own only if the answer came back to it.
      guard sent.isSentLogged, guest.guestBase == UInt64(pair + 1) << 32 else { return }
      $0.written.insert((guest.guestBase + UInt64(guest.transmitLayout.used)) / 4096)
    }
  }

  /// Where the buffer is, in the guest's memory, that is taken next from its RX ring.
  private func nextBuffer(of guest: borrowing GuestRings<LinuxKernel>, _ taken: UInt16) -> UInt64 {
    let layout = guest.receiveLayout
    let slot = Int(taken) % layout.size
    let id = unsafe guest.memory.baseAddress.load(fromByteOffset: layout.used + 4 + 8 * slot, as: UInt32.self)
    let entry = layout.descriptors + 16 * (Int(id) % layout.size)
    return unsafe guest.memory.baseAddress.load(fromByteOffset: entry, as: UInt64.self)
  }

  /// Frames that have left a guest.
  private func watchTheTap() throws -> Bool {
    var isMoving = false
    while let bytes = try kernel.readFrame(from: socket.descriptor) {
      guard let frame = ProbeFrame(bytes), frame.run == run, !frame.isAnswer else { continue }
      isMoving = true
      let pair = Int(frame.pair)
      guard let sent = frames[pair][frame.sequence], !sent.isSeen else {
        fault("pair \(pair): frame \(frame.sequence) left twice")
        continue
      }
      frames[pair][frame.sequence]?.isSeen = true
      answerable[pair].append(frame.sequence)
    }
    return isMoving
  }

  /// Of a pair that runs again, what was answered while it could be lost is no longer waited for.
  private func settleAccounts() {
    let (mayLose, losses) = state.withLock { ($0.mayLose, $0.losses) }
    for pair in mayLose.indices where !mayLose[pair] && losses[pair] != settledLosses[pair] {
      settledLosses[pair] = losses[pair]
      let lost = frames[pair].filter { $0.value.isSeen && !answerable[pair].contains($0.key) }.map(\.key)
      for number in lost { frames[pair][number] = nil }
      forgiven[pair].formUnion(lost)
      state.withLock { $0.tallies[pair].forgiven += lost.count }
    }
  }

  /// Until something may have moved.
  private func wait() throws {
    var events = [socket.descriptor]
    for pair in 0..<guests.count {
      switch guests[pair] {
      case .some(let guest): events += [guest.receiveCall.descriptor, guest.transmitCall.descriptor]
      case .none: break
      }
    }
    _ = try kernel.poll(events, milliseconds: 20)
  }

  /// How many buffers of a used ring are there to be taken. User Mode Linux writes an index in two steps, so that it can be
  /// seen 256 too large for a moment (lab/README.md): then none, and the next look tells.
  private func pending(
    _ layout: SplitRingLayout, _ guest: borrowing GuestRings<LinuxKernel>, _ taken: UInt16
  ) -> Int {
    let index = unsafe guest.memory.baseAddress.load(fromByteOffset: layout.used + 2, as: UInt16.self)
    let count = Int(index &- taken)
    return count <= GuestRings<LinuxKernel>.ringSize ? count : 0
  }
}
