import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing
import VhostKernel

/// The sweeps over opening pairs with real vhost devices. Each wants a process and a network namespace of its own.
enum VhostFaults {
  private static let node = "open \(VhostNet<LinuxKernel>.path)"
  private static let pair = ["open /dev/net/tun", "TUNSETIFF", node]
  private static let look = ["RTM_GETLINK", "RTM_GETADDR"]
  private static let lookAgain = ["RTM_GETLINK"]

  private static func made(_ pairs: Int) throws -> DeviceSpec {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: pairs)
    try TapFixture.make(spec)
    return spec
  }

  @Sendable static func openRequiring() throws {
    let spec = try made(3)
    let calls = try FaultSweep().run(
      errnos: FaultSweep.errnos + [.noSuchFileOrDirectory],
      verify: { fault, _ in try TapFixture.expect(spec, "\(fault)") },
      { tools in
        let set = try PairSet.open(spec.name, vhost: .require, through: tools)
        #expect(set.hasVhost && set.vhostDescriptors.count == 3 && set.vhostAbsence == nil)
      })
    #expect(calls == look + pair + pair + pair + lookAgain)
  }

  /// Only the first device's absence is one: a node that is gone from the second on is a failure.
  @Sendable static func openAuto() throws {
    let spec = try made(2)
    let first = look.count + pair.count
    try FaultSweep().run(
      errnos: FaultSweep.errnos + [.noSuchFileOrDirectory, .permissionDenied],
      tolerates: { fault in
        let isAbsence = [Errno.noSuchFileOrDirectory, .permissionDenied].contains(fault.errno)
        return fault.number == first && isAbsence ? "auto does without vhost-net where there is none" : nil
      },
      { tools in _ = try PairSet.open(spec.name, vhost: .auto, through: tools) })
  }

  /// With the choice: an ioctl a device. Without: EPERM of the first, then a device of our own to see what the kernel
  /// gives.
  @Sendable static func openChoosing() throws {
    let spec = try made(2)
    let choose = "VHOST_SET_FORK_FROM_OWNER"
    let calls = try FaultSweep().run { tools in
      _ = try PairSet.open(spec.name, vhost: .require, worker: .kthread, through: tools)
    }
    #expect(
      calls == look + pair + pair + lookAgain
        + (VhostMachine.hasChoice ? [choose, choose] : [choose, node, "VHOST_SET_OWNER"]))
  }
}
