internal import LinuxIO
internal import Synchronization
internal import SystemPackage

/// What the measuring process and its generators tell each other, in memory that they share.
///
/// The command is written by the one and read by all; each generator writes its own counters, on cache lines of their own.
@safe internal struct LoadBoard: ~Copyable {
  /// What every generator is to do now.
  enum Command: UInt64 {
    case idle, transmit, receive, both, echo, end

    var sends: Bool { self == .transmit || self == .both }
    var receives: Bool { self == .receive || self == .both }
  }

  /// What a generator counts, from its start on.
  enum Counter: Int, CaseIterable {
    /// The command that it carries out, once it does.
    case state
    /// Frames that the device has taken from the transmit ring.
    case transmitted
    /// Frames of this pair's flow that came out of its receive ring.
    case received
    /// Frames that were sent to the tap for it.
    case sent
    /// Frames of another pair's flow.
    case stray
    /// Other frames.
    case foreign
    /// Echoes that were answered, and that were not in time.
    case echoes, echoesLost
  }

  /// How many round trips are kept.
  static let sampleLimit = 1 << 16
  private static let slotByteCount = 512
  private static let textOffset = 256
  private static let textLimit = 255

  let mapping: SharedMapping
  let pairs: Int

  init(pairs: Int) throws(Errno) {
    self.pairs = pairs
    mapping = try LinuxKernel().mmap(byteCount: Self.slotByteCount * (pairs + 1) + 4 * Self.sampleLimit * pairs)
  }

  var command: Command {
    get { Command(rawValue: unsafe word(0, 0).pointee.load(ordering: .acquiring)) ?? .end }
    nonmutating set { unsafe word(0, 0).pointee.store(newValue.rawValue, ordering: .releasing) }
  }

  func get(_ counter: Counter, of pair: Int) -> Int {
    unsafe Int(truncatingIfNeeded: word(pair + 1, counter.rawValue).pointee.load(ordering: .acquiring))
  }

  func set(_ counter: Counter, of pair: Int, to value: Int) {
    unsafe word(pair + 1, counter.rawValue).pointee.store(UInt64(truncatingIfNeeded: value), ordering: .releasing)
  }

  /// The round trips of a pair, in nanoseconds.
  func samples(of pair: Int) -> UnsafeMutableBufferPointer<UInt32> {
    let start = unsafe mapping.baseAddress + Self.slotByteCount * (pairs + 1) + 4 * Self.sampleLimit * pair
    return unsafe UnsafeMutableBufferPointer(
      start: start.assumingMemoryBound(to: UInt32.self), count: Self.sampleLimit)
  }

  /// Why a generator has given up.
  func failure(of pair: Int) -> String? {
    let start = unsafe mapping.baseAddress + Self.slotByteCount * (pair + 1) + Self.textOffset
    let length = unsafe Int(start.load(as: UInt8.self))
    guard length > 0 else { return nil }
    return unsafe String(decoding: UnsafeRawBufferPointer(start: start + 1, count: length), as: UTF8.self)
  }

  func fail(_ pair: Int, _ text: String) {
    let bytes = Array(text.utf8.prefix(Self.textLimit))
    let start = unsafe mapping.baseAddress + Self.slotByteCount * (pair + 1) + Self.textOffset
    unsafe UnsafeMutableRawBufferPointer(start: start + 1, count: bytes.count).copyBytes(from: bytes)
    unsafe start.storeBytes(of: UInt8(bytes.count), as: UInt8.self)
  }

  private func word(_ slot: Int, _ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe (mapping.baseAddress + Self.slotByteCount * slot + 8 * index).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
