internal import Virtqueue

/// What a pair's guest has in its memory: two rings and the buffers of both.
internal struct LoadLayout: Sendable {
  /// Entries of either ring: what QEMU gives a guest.
  static let ringSize = 256
  /// How much memory the buffers of a ring take at most: with more than that no frame would be found in a cache.
  private static let limit = 4 << 20

  let receive: SplitRingLayout
  let transmit: SplitRingLayout
  /// The first receive buffer, how far it is from one to the next, and how many there are.
  let receiveBuffers: Int
  let receiveStride: Int
  let receiveCount: Int
  /// Likewise; frames are alike, so several descriptors may have one.
  let transmitBuffers: Int
  let transmitStride: Int
  let transmitCount: Int
  /// The frame that is answered.
  let echo: Int
  /// All of it, whole pages.
  let byteCount: Int

  /// How many frames there are receive buffers for at one time.
  let receiveFrames: Int

  /// For frames of up to `size` bytes. Mergeable buffers for long ones have a page, as Linux's have; without them a guest that
  /// takes segmented frames must have room for the longest in each buffer (virtio 1.2 §5.1.6.3.1).
  init(size: Int, isMergeable: Bool) {
    guard let receive = SplitRingLayout(size: Self.ringSize),
      let transmit = SplitRingLayout(size: Self.ringSize, at: receive.end)
    else { fatalError("256 is a ring size") }
    self.receive = receive
    self.transmit = transmit
    receiveBuffers = Self.pages(transmit.end)
    receiveStride = !LoadFrame.isSegmented(size) ? 2048 : isMergeable ? 4096 : 17 * 4096
    transmitStride = (LoadFrame.headerByteCount + size + 63) & ~63
    receiveCount = min(Self.ringSize, Self.limit / receiveStride)
    transmitCount = min(Self.ringSize, Self.limit / transmitStride)
    let buffers = (LoadFrame.headerByteCount + size + receiveStride - 1) / receiveStride
    receiveFrames = receiveCount / buffers
    transmitBuffers = receiveBuffers + receiveCount * receiveStride
    echo = Self.pages(transmitBuffers + transmitCount * transmitStride)
    byteCount = echo + 4096
  }

  private static func pages(_ offset: Int) -> Int { (offset + 4095) & ~4095 }
}
