internal import CLinuxUAPI

/// TUNSETIFF's flags (IFF_* of <linux/if_tun.h>).
public struct TapFlags: OptionSet, Sendable, Hashable {
  /// As `ifr_flags` carries them.
  public let rawValue: UInt16

  /// Any bits.
  public init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  private init(_ flag: CInt) {
    rawValue = UInt16(truncatingIfNeeded: flag)
  }

  /// IFF_TAP: Ethernet frames.
  public static let tap = TapFlags(IFF_TAP)
  /// IFF_NO_PI: no packet information before each frame.
  public static let noPacketInformation = TapFlags(IFF_NO_PI)
  /// IFF_VNET_HDR: a virtio-net header before each frame.
  public static let vnetHeader = TapFlags(IFF_VNET_HDR)
  /// IFF_MULTI_QUEUE: up to 256 queues, a descriptor each.
  public static let multiQueue = TapFlags(IFF_MULTI_QUEUE)
  /// IFF_TUN_EXCL: fail with EBUSY where the name is taken.
  public static let exclusive = TapFlags(IFF_TUN_EXCL)
  /// IFF_PERSIST, as TUNGETIFF reports it.
  public static let persistent = TapFlags(IFF_PERSIST)
  /// IFF_NAPI.
  public static let napi = TapFlags(IFF_NAPI)

  /// IFF_BACKPRESSURE (Linux 7): a full ring stops its transmit queue, so that a queueing discipline can hold frames
  /// back instead of the tap dropping them.
  public static let backpressure = TapFlags(MQ_IFF_BACKPRESSURE)

  /// What every queue of this project's taps is opened with.
  public static let multiQueueTap: TapFlags = [.tap, .noPacketInformation, .vnetHeader, .multiQueue]
}
