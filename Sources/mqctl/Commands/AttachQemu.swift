internal import Hypervisor
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ

extension Attach {
  func attach(
    toQemuAt socket: String, through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws(Failure) {
    // A name that is wrong is said before anybody is connected to.
    _ = try target(through: provisioner)
    var qemu = try Failure.explain(hypervisor: try QmpSession.connect(to: socket, seconds: hypervisor.timeout))
    let target = try target(through: provisioner)
    let place = QemuAttachment(
      interface: target.name, identifier: hypervisor.identifier(for: target.name),
      kind: vhostUser == nil ? .tap : .vhostUser)
    var report = AttachmentReport(
      name: target.name.description, id: place.identifier, hypervisor: "qemu", outcome: "unchanged", socket: vhostUser)
    let occupants = try Failure.explain(hypervisor: try qemu.occupants())
    if try Failure.explain(hypervisor: try place.state(among: occupants)) == .attached {
      if place.kind == .vhostUser {
        try Failure.explain(hypervisor: try qemu.requireBackEnd(of: place))
      } else {
        try confirm(target, heldBy: qemu.process, queues: nil)
        report.pairs = target.tap.openQueues
      }
      return self.report(report)
    }

    let count = try count(target)
    report.outcome = "attached"
    report.pairs = count
    let arguments = try deviceArguments(place, target, pairs: count, &qemu)
    if let vhostUser {
      try attach(place, socket: vhostUser, pairs: count, arguments, &qemu)
    } else {
      report.vhost = try attach(place, target, pairs: count, arguments, &qemu, through: provisioner)
    }
    self.report(report)
  }

  /// Through a back end's socket.
  private func attach(
    _ place: QemuAttachment, socket: String, pairs: Int, _ arguments: [String: JSON], _ qemu: inout QmpSession
  ) throws(Failure) {
    try Failure.explain(hypervisor: try qemu.requireSharedMemory())
    try removeLeftovers(of: place, thoroughly: false, &qemu)
    // Last, since the back end serves one front end at a time and this asks as one.
    try Failure.explain(hypervisor: try BackEndProbe.check(socket, seconds: hypervisor.timeout))
    let file: OwnedDescriptor
    do throws(Errno) {
      file = try UnixConnection.reference(to: socket)
    } catch {
      throw Failure(.unreachable(socket, error))
    }
    do throws(HypervisorError) {
      try qemu.attach(place, socket: file, pairs: pairs, device: arguments)
    } catch {
      throw Failure(error)
    }
  }

  /// By the tap's own queues. Returns whether vhost-net serves them.
  private func attach(
    _ place: QemuAttachment, _ target: Target, pairs: Int, _ arguments: [String: JSON], _ qemu: inout QmpSession,
    through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws(Failure) -> Bool {
    // Queues that somebody has open may be what an earlier attach was killed over.
    try removeLeftovers(of: place, thoroughly: target.tap.openQueues > 0, &qemu)
    let set = try Failure.explain(
      PairSet.open(target.name, count: pairs, vhost: vhost, through: provisioner))
    if !output.json { noteAbsence(set) }
    try Failure.explain(
      hypervisor: try qemu.attach(
        place, taps: set.tapDescriptors, vhost: set.vhostDescriptors, device: arguments))
    return set.hasVhost
  }

  private func removeLeftovers(
    of place: QemuAttachment, thoroughly: Bool, _ qemu: inout QmpSession
  ) throws(Failure) {
    let found = try Failure.explain(hypervisor: try qemu.removeLeftovers(of: place, thoroughly: thoroughly))
    if found, !output.json {
      Output.note("mqctl: \(place.interface): removed what an earlier attach had left in QEMU")
    }
  }

  /// What device_add is to be told.
  private func deviceArguments(
    _ place: QemuAttachment, _ target: Target, pairs: Int, _ qemu: inout QmpSession
  ) throws(Failure) -> [String: JSON] {
    let words = device ?? .virtioNet
    do throws(HypervisorError) {
      let types = try qemu.propertyTypes(of: words.driver)
      var defaults: [String: String] = [:]
      if let mac = target.mac { defaults["mac"] = mac.description }
      if pairs > 1 {
        guard types["mq"] != nil else {
          throw .badProperty("device '\(words.driver)' has no property mq: it takes one pair")
        }
        defaults["mq"] = "on"
        // A ring each, configuration changes, the control queue.
        if types["vectors"] != nil { defaults["vectors"] = String(2 * pairs + 2) }
      }
      if words.isPCI, !words.has("bus"), let port = try qemu.freePort() { defaults["bus"] = port }
      return try words.arguments(
        identifier: place.identifier, netdev: place.netdev, defaults: defaults, types: types)
    } catch {
      throw Failure(error)
    }
  }
}
