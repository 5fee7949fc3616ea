import Testing
import VhostKernel

@Suite struct VhostFeaturesTests {
  /// What 6.1 and 7.3 offered when they were asked.
  @Test func namesOfWhatKernelsOffer() {
    let old = VhostFeatures(rawValue: 0x3_3d00_8000)
    #expect(
      old.names == [
        "MRG_RXBUF", "NOTIFY_ON_EMPTY", "LOG_ALL", "VHOST_NET_HDR", "INDIRECT_DESC", "EVENT_IDX", "VERSION_1",
        "ACCESS_PLATFORM",
      ])
    #expect(VhostFeatures(rawValue: 0x10b_3d00_8000).names.suffix(2) == ["IN_ORDER", "RING_RESET"])
  }

  @Test func unknownBitsKeepTheirNumber() {
    #expect(VhostFeatures(rawValue: 1 << 63).names == ["bit 63"])
  }
}
