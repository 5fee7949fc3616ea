import Testing
import Virtqueue

@testable import LoadGenerator

struct LoadFrameTests {
  private let frame = LoadFrame(pair: 3, run: 0xAABB_CCDD)

  /// RFC 1071: the sum over what has its right checksum is all ones.
  private func sum(_ bytes: some Collection<UInt8>) -> Int {
    var sum = 0
    for (index, byte) in bytes.enumerated() { sum += Int(byte) << (index % 2 == 0 ? 8 : 0) }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    return sum
  }

  @Test(arguments: [60, 64, 1500, 1514, 1515, 9000, 65535]) func aFrameIsAsLongAsAsked(_ size: Int) {
    for toGuest in [false, true] {
      let bytes = frame.bytes(size: size, toGuest: toGuest, destination: [2, 0, 0, 0, 0, 9])
      #expect(bytes.count == size)
      #expect(sum(bytes[14..<34]) == 0xFFFF, "the IPv4 header's checksum")
      #expect(Int(bytes[16]) << 8 | Int(bytes[17]) == size - 14, "the IPv4 total length")
      #expect(bytes[23] == (size > 1514 ? 6 : 17))
      let offset = LoadFrame.markOffset(size)
      let mark = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
      #expect(mark == frame.mark)
    }
  }

  /// tun's hash is the same both ways only if addresses and ports are the same, turned round.
  @Test func bothDirectionsAreOneFlow() {
    let out = frame.bytes(size: 64, toGuest: false, destination: [2, 0, 0, 0, 0, 9])
    let back = frame.bytes(size: 64, toGuest: true, destination: [])
    #expect(out[26..<30] == back[30..<34] && out[30..<34] == back[26..<30])
    #expect(out[34..<36] == back[36..<38] && out[36..<38] == back[34..<36])
    #expect(Array(back[0..<6]) == frame.guestMAC && Array(out[6..<12]) == frame.guestMAC)
    #expect(LoadFrame(pair: 4, run: 1).guestAddress != frame.guestAddress)
  }

  /// virtio 1.2 §5.1.6.2, byte for byte.
  @Test func theHeaderAsksForSegmentation() {
    #expect(LoadFrame.header(size: 1514) == [UInt8](repeating: 0, count: 12))
    #expect(LoadFrame.header(size: 65535) == [1, 1, 54, 0, 0xB4, 0x05, 34, 0, 16, 0, 0, 0])
  }

  /// The receiver computes the checksum's rest: over the TCP segment with the pseudo-header's part in its place.
  @Test func thePseudoHeaderIsInTheChecksum() {
    let bytes = frame.bytes(size: 2000, toGuest: false, destination: [2, 0, 0, 0, 0, 9])
    let pseudo = bytes[26..<34] + [0, 6] + [UInt8((2000 - 34) >> 8), UInt8((2000 - 34) & 0xFF)]
    #expect(Int(bytes[50]) << 8 | Int(bytes[51]) == sum(pseudo))
  }

  @Test(arguments: [60, 1514, 1001]) func anEchoHasItsChecksumAtAnySequenceNumber(_ size: Int) {
    let bytes = frame.echo(size: size, destination: [2, 0, 0, 0, 0, 9])
    #expect(bytes.count == size && sum(bytes[34...]) == 0xFFFF && sum(bytes[14..<34]) == 0xFFFF)
    let base = UInt16(bytes[36]) << 8 | UInt16(bytes[37])
    for sequence: UInt16 in [0, 1, 255, 256, 0x7FFF, 0xFFFE, 0xFFFF] {
      var copy = bytes
      let check = LoadFrame.echoChecksum(base, sequence: sequence)
      (copy[40], copy[41]) = (UInt8(sequence >> 8), UInt8(sequence & 0xFF))
      (copy[36], copy[37]) = (UInt8(check >> 8), UInt8(check & 0xFF))
      #expect(sum(copy[34...]) == 0xFFFF, "sequence \(sequence)")
    }
  }

  @Test(arguments: [60, 1514, 65535], [true, false])
  func aPairsMemoryHoldsWhatIsInIt(_ size: Int, _ isMergeable: Bool) {
    let layout = LoadLayout(size: size, isMergeable: isMergeable)
    #expect(layout.receive.end <= layout.transmit.descriptors && layout.transmit.end <= layout.receiveBuffers)
    let buffers = layout.receiveCount / layout.receiveFrames
    #expect(buffers * layout.receiveStride >= 12 + size && layout.transmitStride >= 12 + size)
    #expect(buffers == 1 || isMergeable && size == 65535)
    #expect(layout.receiveBuffers + layout.receiveCount * layout.receiveStride <= layout.transmitBuffers)
    #expect(layout.transmitBuffers + layout.transmitCount * layout.transmitStride <= layout.echo)
    #expect(layout.echo + 12 + min(size, 1514) <= layout.byteCount && layout.byteCount % 4096 == 0)
    #expect((32...LoadLayout.ringSize).contains(layout.transmitCount))
    #expect((32...LoadLayout.ringSize).contains(layout.receiveCount) && layout.receiveFrames >= 15)
  }
}
