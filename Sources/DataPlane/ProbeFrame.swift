/// A frame that a verification sends: Ethernet, IPv4, UDP to the discard port, and in it a mark that no other frame has.
///
/// Its destination is the LLDP address 01:80:c2:00:00:0e, which no bridge forwards, and its IP addresses are of the
/// range for benchmarks (RFC 2544), so nothing of it leaves this host. Each flow has a port of its own, because tun
/// steers by a hash of addresses and ports that is the same both ways; an answer is the frame with both exchanged.
internal struct ProbeFrame: Equatable {
  /// Which run of the program it belongs to.
  var run: UInt64
  /// The queue pair that the flow belongs to.
  var pair: UInt16
  /// The flow's number within the pair.
  var flow: UInt16
  /// Counted up over the whole run.
  var sequence: UInt32
  /// From the host back to the guest.
  var isAnswer: Bool

  /// Its length on the wire.
  static let byteCount = 14 + 20 + 8 + payloadCount
  /// IPv4.
  static let etherType: UInt16 = 0x0800
  /// How many flows of a pair there may be: ports 4096 to 36863 go to 1024 pairs of them.
  static let flowLimit: UInt16 = 8

  private static let payloadCount = 12 + 8 + 2 + 2 + 4
  private static let magic: [UInt8] = Array("mqctl-verify".utf8)

  /// The frame's bytes.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    let guest: [UInt8] = [0x02, 0, 0, 0, UInt8(pair >> 8), UInt8(truncatingIfNeeded: pair)]
    bytes += isAnswer ? guest : [0x01, 0x80, 0xC2, 0, 0, 0x0E]
    bytes += isAnswer ? [0x02, 0xFF, 0, 0, 0, 0] : guest
    bytes.appendBigEndian(Self.etherType)
    bytes += ipv4Header
    let port = 4096 + pair * Self.flowLimit + flow
    bytes.appendBigEndian(isAnswer ? 9 : port)
    bytes.appendBigEndian(isAnswer ? port : 9)
    bytes.appendBigEndian(UInt16(8 + Self.payloadCount))
    bytes.appendBigEndian(UInt16(0))
    bytes += Self.magic
    bytes.appendBigEndian(run)
    bytes.appendBigEndian(pair)
    bytes.appendBigEndian(flow << 1 | (isAnswer ? 1 : 0))
    bytes.appendBigEndian(sequence)
    return bytes
  }

  /// Takes the mark from a frame's bytes; nil for anybody else's.
  init?(_ bytes: some Collection<UInt8>) {
    let payload = Array(bytes.dropFirst(14 + 20 + 8))
    guard bytes.count >= Self.byteCount, payload.starts(with: Self.magic) else { return nil }
    let fields = payload.dropFirst(Self.magic.count)
    func number(_ range: Range<Int>) -> UInt64 {
      fields.dropFirst(range.lowerBound).prefix(range.count).reduce(0) { $0 << 8 | UInt64($1) }
    }
    let tail = number(10..<12)
    self.init(
      run: number(0..<8), pair: UInt16(number(8..<10)), flow: UInt16(tail >> 1),
      sequence: UInt32(number(12..<16)), isAnswer: tail & 1 == 1)
  }

  init(run: UInt64, pair: UInt16, flow: UInt16, sequence: UInt32, isAnswer: Bool = false) {
    self.run = run
    self.pair = pair
    self.flow = flow
    self.sequence = sequence
    self.isAnswer = isAnswer
  }

  /// The same with both ends exchanged.
  var answer: ProbeFrame {
    ProbeFrame(run: run, pair: pair, flow: flow, sequence: sequence, isAnswer: true)
  }

  private var ipv4Header: [UInt8] {
    let guest: [UInt8] = [198, 18, 0, 1]
    let host: [UInt8] = [198, 18, 0, 2]
    // Version and length, TOS, total length, id, do not fragment, time to live 1, UDP, checksum.
    var header: [UInt8] = [0x45, 0, 0, UInt8(28 + Self.payloadCount), 0, 0, 0x40, 0, 1, 17, 0, 0]
    header += isAnswer ? host + guest : guest + host
    var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) { $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1]) }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    let checksum = ~UInt16(sum)
    header[10] = UInt8(checksum >> 8)
    header[11] = UInt8(truncatingIfNeeded: checksum)
    return header
  }
}

extension [UInt8] {
  fileprivate mutating func appendBigEndian(_ number: some FixedWidthInteger) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}
