import DataPlane
import LinuxIO
import LinuxIOTesting
import Orchestrator
import TapMQ
import Testing

/// Real taps on this machine's kernel, in a network namespace of the test's own.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunSmokeTests {
  @Test func everyTapQueueCarriesFramesBothWays() async throws {
    let passed = try await FreshNamespace.run {
      let provisioner = Provisioner(kernel: LinuxKernel(), links: try LinkSession())
      let name = try InterfaceName("tap0")
      #expect(try provisioner.create(DeviceSpec(name: name, pairs: 4)) == .created)
      let set = try PairSet.open(name, vhost: .off, through: provisioner)
      let reports = try Verification.run(set, frames: 8, kernel: LinuxKernel(), links: provisioner.links)
      return reports.filter(\.passed).count
    }
    #expect(passed == 4)
  }
}
