/// One of the two vrings of a vhost-net open (drivers/vhost/net.c: VHOST_NET_VQ_RX, VHOST_NET_VQ_TX).
///
/// Ring 0, 1 of the open for pair *i* is virtqueue 2*i*, 2*i* + 1 of the device (virtio 1.2 §5.1.2).
public enum VhostRing: UInt32, Sendable, CaseIterable {
  /// Frames to the guest.
  case receive = 0
  /// Frames from the guest.
  case transmit = 1
}
