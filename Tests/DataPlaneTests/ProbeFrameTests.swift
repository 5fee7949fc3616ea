@testable import DataPlane
import Testing

@Suite struct ProbeFrameTests {
  @Test func readsWhatItWrote() throws {
    let frame = ProbeFrame(run: 0x0102_0304_0506_0708, pair: 255, flow: 7, sequence: 0xAABB_CCDD)
    #expect(ProbeFrame(frame.bytes) == frame)
    #expect(ProbeFrame(frame.answer.bytes) == frame.answer)
    #expect(frame.bytes.count == ProbeFrame.byteCount)
  }

  /// RFC 1071: the header's words and its checksum add up to all ones.
  @Test func checksumIsRight() {
    let header = ProbeFrame(run: 1, pair: 2, flow: 3, sequence: 4).bytes[14..<34]
    let sum = stride(from: 14, to: 34, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
    #expect(sum & 0xFFFF + sum >> 16 == 0xFFFF)
  }

  @Test func strangersAreNone() {
    #expect(ProbeFrame([UInt8](repeating: 0, count: 200)) == nil)
    #expect(ProbeFrame([UInt8]()) == nil)
    #expect(ProbeFrame(ProbeFrame(run: 1, pair: 2, flow: 3, sequence: 4).bytes.dropLast()) == nil)
  }
}
