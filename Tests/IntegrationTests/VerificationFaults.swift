import BasicContainers
import DataPlane
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing
import VhostKernel

/// The sweeps over a verification. Each wants a process and a network namespace of its own.
enum VerificationFaults {
  typealias Set = PairSet<FaultSweep.Kernel>

  /// Which failures a verification does not fail for.
  static func tolerates(_ fault: FaultSweep.Fault) -> String? {
    switch (fault.call, fault.errno) {
    case ("read", .interrupted): "nothing was read, and it is read again after the poll"
    case ("poll", .interrupted): "nothing is ready, says KernelInterface, and it is looked at again"
    default: nil
    }
  }

  /// Runs it; pairs that fail become an error, and the pairs that no fault has hit must pass.
  static func run(_ set: borrowing Set, through tools: borrowing FaultSweep.Tools, kernel: FaultSweep.Kernel) throws {
    let reports = try Verification.run(set, frames: 2, patience: 5000, kernel: kernel, links: tools.links)
    let failed = reports.filter { !$0.passed }
    guard !failed.isEmpty else { return }
    #expect(failed.count == 1, "one call has failed, and so one pair: \(failed)")
    throw FaultSweep.Failure(description: failed.map { "pair \($0.pair): \($0.failure, default: "lost")" }.joined())
  }

  @Sendable static func taps() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 2)
    try TapFixture.make(spec)
    let sweep = try FaultSweep()
    let kernel = sweep.kernel
    let set = try PairSet.open(spec.name, vhost: .off, through: sweep.tools)
    try TapFixture.awaitOperation(of: spec.name, sweep.links)
    let calls = try sweep.run(
      prepare: { _ in try set.pairs[0].tap.setVnetHeaderSize(.legacy) },
      tolerates: tolerates,
      verify: { fault, _ in
        // The call that takes it back may itself be the one that fails.
        let size = try set.pairs[0].tap.vnetHeaderSize()
        #expect(size == .legacy || fault.call == "TUNSETVNETHDRSZ", "\(fault)")
      },
      { tools in try run(set, through: tools, kernel: kernel) })
    #expect(calls.starts(with: ["packet socket", "RTM_GETLINK", "TUNGETVNETHDRSZ", "TUNSETVNETHDRSZ", "write"]))
    #expect(calls.last == "TUNSETVNETHDRSZ")
  }

  @Sendable static func vhost() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 2)
    try TapFixture.make(spec)
    let sweep = try FaultSweep()
    let kernel = sweep.kernel
    let set = try PairSet.open(spec.name, vhost: .require, through: sweep.tools)
    try TapFixture.awaitOperation(of: spec.name, sweep.links)
    let calls = try sweep.run(
      tolerates: tolerates,
      verify: { fault, _ in
        // One that could not be given back is still ours, and nobody else's; whoever reads the report knows.
        let owned = try giveBack(set)
        #expect(owned == (fault.call == "VHOST_RESET_OWNER" ? 1 : 0), "\(fault)")
      },
      { tools in try run(set, through: tools, kernel: kernel) })
    let counts = Dictionary(grouping: calls) { $0 }.mapValues(\.count)
    let ofEachRing = [
      "VHOST_SET_VRING_NUM", "VHOST_SET_VRING_BASE", "VHOST_SET_VRING_ADDR", "VHOST_SET_VRING_KICK",
      "VHOST_SET_VRING_CALL", "VHOST_GET_VRING_BASE",
    ]
    for call in ["VHOST_SET_OWNER", "VHOST_SET_MEM_TABLE", "VHOST_RESET_OWNER", "mmap"] { #expect(counts[call] == 2) }
    for call in ofEachRing { #expect(counts[call] == 4) }
    #expect(counts["VHOST_NET_SET_BACKEND"] == 8)
  }

  /// Owns and gives back each device, and says how many were owned already.
  private static func giveBack(_ set: borrowing Set) throws -> Int {
    var owned = 0
    for index in 0..<set.count {
      switch set.pairs[index].vhost {
      case .some(let vhost):
        do throws(VhostError) {
          try vhost.setOwner()
        } catch {
          #expect(error == VhostError("VHOST_SET_OWNER", errno: .resourceBusy))
          owned += 1
        }
        try vhost.resetOwner()
      case .none: Issue.record("pair \(index) has no vhost device")
      }
    }
    return owned
  }
}
