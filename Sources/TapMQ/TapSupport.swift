internal import CLinuxUAPI
public import LinuxIO
internal import SystemPackage

/// What this kernel's tun driver can do, asked of an unbound open of /dev/net/tun.
public struct TapSupport: Sendable, Equatable {
  /// TUNGETFEATURES: the flags that TUNSETIFF knows.
  public let flags: TapFlags

  /// open(2) and TUNGETFEATURES. Needs no capability.
  public init(probing kernel: some KernelInterface) throws(TapError) {
    let device: OwnedDescriptor
    do {
      device = try kernel.open("/dev/net/tun", nonBlocking: true)
    } catch {
      throw TapError("open /dev/net/tun", errno: error)
    }
    do {
      var bits: UInt32 = 0
      try kernel.ioctl(device.descriptor, IoctlRequest("TUNGETFEATURES", MQ_TUNGETFEATURES), updating: &bits)
      flags = TapFlags(rawValue: UInt16(truncatingIfNeeded: bits))
    } catch {
      throw TapError("TUNGETFEATURES", errno: error)
    }
  }
}
