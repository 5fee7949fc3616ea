internal import TapMQ
internal import VhostKernel
internal import VhostUser

/// Who a virtio-net feature belongs to. Features are split, never forwarded.
internal enum FeatureSplit {
  /// Offload features of virtio 1.2 §5.1.3 by bit: what the tap must take (TUN_F_*) so that the guest may be sent it
  /// (GUEST_*), or that the tap's own writer may hand over (HOST_*).
  private static let offloads: [(guest: UInt64, host: UInt64, tap: String)] = [
    (7, 11, "TSO4"), (8, 12, "TSO6"), (9, 13, "TSO_ECN"), (10, 14, "UFO"),
  ]
  private static let csum: UInt64 = 0
  private static let guestCsum: UInt64 = 1
  private static let guestUSO4: UInt64 = 54
  private static let guestUSO6: UInt64 = 55
  private static let hostUSO: UInt64 = 56

  /// What a front end is offered: what this kernel's vhost and its tap can do together, and what is the front end's own
  /// business (its control queue, its configuration), which a front end shows to the guest only where the back end has
  /// no objection. GUEST_ANNOUNCE: the guest itself tells the network where it is after a migration.
  internal static func offered(vhost: VhostFeatures, tap: [TapOffload], pairs: Int) -> DeviceFeatures {
    // Not an IOMMU: addresses here are the guest's physical ones. Not a reset of single rings: vhost-user has no message
    // for it that this back end knows.
    let kernel = vhost.subtracting([.vhostNetHeader, .accessPlatform, .ringReset])
    let offloads = offloadFeatures(of: tap)
    let own: DeviceFeatures = [.controlQueue, .status, .mac, .mtu, .guestAnnounce]
    return DeviceFeatures(rawValue: kernel.rawValue | offloads)
      .union(own).union(pairs > 1 ? .multiQueue : [])
  }

  /// The offload features that this kernel's tap can do for both sides.
  internal static func offloadFeatures(of tap: [TapOffload]) -> UInt64 {
    let names = Set(tap.map(\.name))
    guard names.contains("CSUM") else { return 0 }
    var bits: UInt64 = 1 << csum | 1 << guestCsum
    for offload in offloads where names.contains(offload.tap) { bits |= 1 << offload.guest | 1 << offload.host }
    if names.contains("USO") { bits |= 1 << guestUSO4 | 1 << guestUSO6 | 1 << hostUSO }
    return bits
  }

  /// TUNSETOFFLOAD's bits for what a guest accepted to be sent. The kernel takes USO for both families only.
  internal static func offload(ofGuest features: UInt64) -> UInt32 {
    func has(_ bit: UInt64) -> Bool { features >> bit & 1 == 1 }
    guard has(guestCsum) else { return 0 }
    var wanted: UInt32 = 0
    for offload in offloads where has(offload.guest) { wanted |= bits(offload.tap) }
    if has(guestUSO4), has(guestUSO6) { wanted |= bits("USO") }
    return wanted | bits("CSUM")
  }

  private static func bits(_ name: String) -> UInt32 { TapOffload.all.first { $0.name == name }?.bits ?? 0 }
}
