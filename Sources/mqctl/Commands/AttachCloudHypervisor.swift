internal import Hypervisor
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ

extension Attach {
  func attach(
    toCloudHypervisorAt socket: String, through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws(Failure) {
    let target = try target(through: provisioner)
    let id = hypervisor.identifier(for: target.name)
    let api = CloudHypervisor(socket: socket, seconds: hypervisor.timeout)
    let backEnd = vhostUser.map(FileTree.absolutePath)
    var report = AttachmentReport(
      name: target.name.description, id: id, hypervisor: "cloud-hypervisor", outcome: "unchanged", socket: backEnd)
    let (machine, process) = try Failure.explain(hypervisor: try api.machine())
    if let net = machine.nets.first(where: { $0.identifier == id }) {
      try compare(net, target, backEnd)
      if backEnd == nil { try confirm(target, heldBy: process, queues: net.queues / 2) }
      report.pairs = net.queues / 2
      return self.report(report)
    }
    guard !machine.deviceIdentifiers.contains(id) else {
      throw Failure(
        .conflict, "the machine has a device '\(id)' that is no network device, or that its guest has not let go yet",
        mend: "give another --id, or wait")
    }
    let count = try count(target)
    report.outcome = "attached"
    report.pairs = count
    let mac = target.mac?.description
    if let backEnd {
      guard machine.isMemoryShared else {
        throw Failure(
          .memoryNotShared("its memory is private", mend: "start Cloud Hypervisor with --memory size=SIZE,shared=on"))
      }
      try Failure.explain(hypervisor: try BackEndProbe.check(backEnd, seconds: hypervisor.timeout))
      try Failure.explain(hypervisor: try api.add(id, mac: mac, pairs: count, backEnd: backEnd))
    } else {
      guard count <= UnixStream.sentDescriptorLimit else {
        throw Failure(
          .usage, "\(count) pairs: one message carries \(UnixStream.sentDescriptorLimit)", mend: "say --pairs N")
      }
      // It moves the packets itself.
      let set = try Failure.explain(PairSet.open(target.name, count: count, vhost: .off, through: provisioner))
      try Failure.explain(hypervisor: try api.add(id, mac: mac, taps: set.tapDescriptors))
      report.vhost = false
    }
    self.report(report)
  }

  /// A device of that id is there: it must be what was asked for.
  private func compare(_ net: CloudHypervisor.Net, _ target: Target, _ backEnd: String?) throws(Failure) {
    let isSame = net.socket == backEnd && (target.mac == nil || net.mac == nil || net.mac == target.mac?.description)
    guard isSame else {
      let place = net.socket.map { "on \($0)" } ?? "on a tap"
      throw Failure(
        .conflict,
        "the machine has a device '\(net.identifier)' already, \(place) with address \(net.mac ?? "unknown")",
        mend: "give another --id, or detach that one")
    }
    if let pairs, pairs != net.queues / 2 {
      throw Failure(
        .conflict, "\(target.name) is attached with \(net.queues / 2) pair(s), asked for \(pairs)",
        mend: "detach it first")
    }
  }
}
