import BasicContainers
import DataPlane
import LinuxIO
import LinuxIOTesting
import Orchestrator
import TapMQ
import Testing
import VhostKernel

/// Every pair through its own vhost worker, on the real driver.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostVerifyTests {
  @Test(arguments: [1, 2, 8, 16]) func everyPairByItsOwnWorker(_ pairs: Int) async {
    await #expect(processExitsWith: .success) { [pairs] in
      await inFreshNamespace { try VhostVerify.everyPair(pairs) }
    }
  }

  @Test func aChosenWorkerIsForgottenAndCanBeChosenAgain() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostVerify.chosenWorker) }
  }

  /// Verified here, given back, then owned and driven by another process: the very same files.
  @Test func aVerifiedDeviceServesAnotherProcess() async throws {
    let held = try await FreshNamespace.run { try VerifiedDevices(pairs: 2) }
    await #expect(processExitsWith: .success) {
      [
        process = ProcessControl.processID as Int, vhost = held.numbers as [Int],
        namespace = held.namespaceNumber as Int
      ] in
      await inFreshNamespace { try VhostVerify.takeOver(process, vhost, namespace) }
    }
    try held.expectVirgin()
  }
}

/// What happens in processes of their own.
enum VhostVerify {
  static func everyPair(_ pairs: Int) throws {
    let provisioner = try TapFixture.tools()
    let name = try InterfaceName("tap0")
    try TapFixture.make(DeviceSpec(name: name, pairs: pairs))
    let set = try PairSet.open(name, vhost: .require, through: provisioner)
    var alive: Set<Worker> = []
    let reports = try Verification.run(
      set, frames: 16, patience: 10_000, kernel: LinuxKernel(), links: provisioner.links,
      progress: { _ in alive = Worker.all(of: ProcessControl.processID) })
    #expect(reports.count == pairs)
    for report in reports {
      #expect(report.passed && report.failure == nil && report.lost == 0, "\(report)")
      #expect([report.sent, report.seen, report.answered, report.received] == [16, 16, 16, 16], "\(report)")
      #expect(report.worker?.kind == VhostMachine.nativeKind, "\(report)")
    }
    let workers = Set(reports.compactMap(\.worker))
    #expect(Set(workers.map(\.thread)).count == pairs, "a thread each: \(reports.map(\.worker))")
    #expect(alive == workers, "what runs is what was reported")
    for index in 0..<pairs {
      let vhost = try VhostNet(dup: set.vhostDescriptors[index])
      try vhost.setOwner()
      try vhost.resetOwner()
    }
  }

  @Sendable static func chosenWorker() throws {
    let provisioner = try TapFixture.tools()
    let name = try InterfaceName("tap0")
    try TapFixture.make(DeviceSpec(name: name, pairs: 2))
    let set = try PairSet.open(name, vhost: .require, worker: .kthread, through: provisioner)
    func expectWorkers(_ kind: WorkerKind, _ why: String) throws {
      let reports = try Verification.run(set, frames: 2, kernel: LinuxKernel(), links: provisioner.links)
      #expect(!reports.contains { !$0.passed }, "\(reports)")
      #expect(reports.map(\.worker?.kind) == [kind, kind], "\(why)")
    }
    try expectWorkers(.kthread, "chosen")
    try expectWorkers(VhostMachine.nativeKind, "VHOST_RESET_OWNER forgets the choice")
    try set.choose(.kthread, kernel: LinuxKernel())
    try expectWorkers(.kthread, "chosen again")
    do {
      try set.choose(.task, kernel: LinuxKernel())
      #expect(VhostMachine.hasChoice)
    } catch {
      guard case .unsupported(let feature, _) = error else { throw error }
      #expect(!VhostMachine.hasChoice && feature.contains("task"))
    }
    // The kernel's own kind is task where there is a choice, and where there is none it is all there is.
    try expectWorkers(VhostMachine.nativeKind, "task")
  }

  static func takeOver(_ process: Int, _ vhost: [Int], _ namespace: Int) throws {
    let home = try ProcessControl.copy(descriptor: namespace, ofProcess: process)
    try NetworkNamespace.enter(home.descriptor)
    let kernel = BorrowingKernel(process: process, descriptors: vhost)
    let provisioner = Provisioner(kernel: kernel, links: try LinkSession())
    let set = try PairSet.open(InterfaceName("tap0"), vhost: .require, through: provisioner)
    let reports = try Verification.run(
      set, frames: 16, patience: 10_000, kernel: kernel, links: provisioner.links)
    #expect(reports.count == vhost.count && !reports.contains { !$0.passed }, "\(reports)")
    let workers = Set(reports.compactMap(\.worker))
    #expect(workers.count == vhost.count && workers.allSatisfy { $0.kind == VhostMachine.nativeKind }, "\(reports)")
  }
}

/// Vhost devices that a verification has run on, without the tap queues that it used; and their namespace.
final class VerifiedDevices: Sendable {
  private let devices: UniqueArray<OwnedDescriptor>
  private let namespace: OwnedDescriptor

  init(pairs: Int) throws {
    let provisioner = try TapFixture.tools()
    let name = try InterfaceName("tap0")
    try TapFixture.make(DeviceSpec(name: name, pairs: pairs))
    let set = try PairSet.open(name, vhost: .require, through: provisioner)
    let reports = try Verification.run(set, frames: 4, kernel: LinuxKernel(), links: provisioner.links)
    #expect(!reports.contains { !$0.passed }, "\(reports)")
    var devices = UniqueArray<OwnedDescriptor>()
    for descriptor in set.vhostDescriptors { devices.append(try Descriptors.duplicate(descriptor)) }
    self.devices = devices
    namespace = try Descriptors.ownNamespace()
  }

  /// Their numbers in this process.
  var numbers: [Int] { (0..<devices.count).map { Int(devices[$0].rawValue) } }
  /// Likewise of the namespace.
  var namespaceNumber: Int { Int(namespace.rawValue) }

  /// Checks that they are free to be owned.
  func expectVirgin() throws {
    for index in 0..<devices.count {
      let vhost = try VhostNet(dup: devices[index].descriptor)
      try vhost.setOwner()
      try vhost.resetOwner()
    }
  }
}
