internal import CLinuxUAPI
public import LinuxIO
internal import SystemPackage

/// What a tap's reader may take unfinished (TUNSETOFFLOAD, TUN_F_* of <linux/if_tun.h>).
public struct TapOffload: Sendable, Equatable {
  /// The bit's name without its prefix.
  public let name: String
  /// The bit, and those that it needs.
  public let bits: UInt32

  /// Each that there is, in the order of the bits. Every one but the first needs CSUM; the kernel takes USO only for
  /// both families, and the tunnel ones only with TSO.
  public static let all: [TapOffload] = [
    TapOffload(name: "CSUM", bits: 0x01), TapOffload(name: "TSO4", bits: 0x03), TapOffload(name: "TSO6", bits: 0x05),
    TapOffload(name: "TSO_ECN", bits: 0x0B), TapOffload(name: "UFO", bits: 0x11),
    TapOffload(name: "USO", bits: 0x61), TapOffload(name: "UDP_TUNNEL_GSO", bits: 0x87),
    TapOffload(name: "UDP_TUNNEL_GSO_CSUM", bits: 0x187),
  ]

  /// Those that this kernel takes: TUNSETOFFLOAD of each on a tap made for that, which is never up and ends with this
  /// call. Needs CAP_NET_ADMIN.
  public static func probe(kernel: some KernelInterface) throws(TapError) -> [TapOffload] {
    guard let name = try? InterfaceName("mqd-\(ProcessControl.processID)") else { return [] }
    let queue = try TapQueue(name, flags: .multiQueueTap.union(.exclusive), kernel: kernel)
    return all.filter { offload in
      do throws(TapError) {
        try queue.setOffload(offload.bits)
        return true
      } catch {
        return false
      }
    }
  }
}
