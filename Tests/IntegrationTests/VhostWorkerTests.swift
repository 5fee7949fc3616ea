import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import Testing
import VhostKernel

/// Which worker serves which device, and of what kind it is: kernel threads before Linux 6.4, tasks of the owner from then
/// on, either from 6.18 on.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostWorkerTests {
  @Test func eachDeviceHasAWorkerOfItsOwn() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostWorkers.discover) }
  }

  @Test func theKindIsChosenBeforeOwnership() async {
    await #expect(processExitsWith: .success) { await inFreshNamespace(VhostWorkers.choose) }
  }

  /// Set on a virgin descriptor, it holds for the process that the descriptor is handed to.
  @Test(arguments: ["kthread", "task"]) func theChoiceGoesWithTheDescriptor(_ kind: String) async throws {
    let vhost = try VhostNet(kernel: LinuxKernel())
    if let kind = WorkerKind(rawValue: kind), VhostMachine.hasChoice { try vhost.setForkFromOwner(kind) }
    await #expect(processExitsWith: .success) {
      [process = ProcessControl.processID as Int, number = Int(vhost.fileDescriptor.rawValue) as Int, kind] in
      try VhostWorkers.expectKind(kind, VhostNet(of: process, number))
    }
  }
}

/// What happens in processes of their own.
enum VhostWorkers {
  @Sendable static func discover() throws {
    let process = ProcessControl.processID
    #expect(Worker.all(of: process) == [])
    var watch = WorkerWatch()
    let first = try VhostNet(kernel: LinuxKernel())
    #expect(watch.next() == nil, "an open starts none")
    try first.setOwner()
    let firstWorker = watch.next()
    #expect(firstWorker?.kind == VhostMachine.nativeKind)
    #expect(watch.next() == nil, "the same is not found twice")
    let second = try VhostNet(kernel: LinuxKernel())
    try second.setOwner()
    let secondWorker = watch.next()
    #expect(secondWorker?.kind == VhostMachine.nativeKind)
    #expect(firstWorker != secondWorker)
    #expect(Worker.all(of: process) == Set([firstWorker, secondWorker].compactMap(\.self)))
    try first.resetOwner()
    try expectWorkers([secondWorker])
    try second.resetOwner()
    try expectWorkers([])
    let native = try WorkerKind.native(kernel: LinuxKernel())
    #expect(native == VhostMachine.nativeKind)
    try expectWorkers([])
  }

  @Sendable static func choose() throws {
    let vhost = try VhostNet(kernel: LinuxKernel())
    guard VhostMachine.hasChoice else {
      #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setForkFromOwner(.kthread) } == .notPermitted)
      return
    }
    let standard = try vhost.forkFromOwner()
    for kind in [WorkerKind.kthread, .task] {
      try vhost.setForkFromOwner(kind)
      let chosen = try vhost.forkFromOwner()
      #expect(chosen == kind)
      var watch = WorkerWatch()
      try vhost.setOwner()
      let worker = watch.next()
      #expect(worker?.kind == kind)
      try expectWorkers([worker])
      #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setForkFromOwner(kind) } == .resourceBusy)
      try vhost.resetOwner()
      try expectWorkers([])
      let forgotten = try vhost.forkFromOwner()
      #expect(forgotten == standard)
    }
  }

  static func expectKind(_ name: String, _ vhost: borrowing VhostNet<BorrowingKernel>) throws {
    var watch = WorkerWatch()
    try vhost.setOwner()
    let worker = watch.next()
    #expect(worker?.kind == (VhostMachine.hasChoice ? WorkerKind(rawValue: name) : VhostMachine.nativeKind))
    try expectWorkers([worker])
    try vhost.resetOwner()
  }

  /// A worker that has been let go may take a moment to end.
  private static func expectWorkers(_ workers: [Worker?]) throws {
    let wanted = Set(workers.compactMap(\.self))
    var found = Worker.all(of: ProcessControl.processID)
    for _ in 0..<500 where found != wanted {
      _ = try LinuxKernel().poll([], milliseconds: 10)
      found = Worker.all(of: ProcessControl.processID)
    }
    #expect(found == wanted)
  }
}
