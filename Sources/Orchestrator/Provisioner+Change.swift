internal import LinuxIO
internal import SystemPackage
internal import TapMQ

extension Provisioner where Links: ~Copyable {
  /// Makes an existing device be as `spec` says: in place where the kernel can change a tap that is there, held or not, else
  /// by replacing it, which is refused while a process holds it. Owner and group can be changed in place while nobody holds
  /// it.
  ///
  /// A change in place that fails is undone; the error says so where that fails too. `device` may be old: it is looked
  /// at again.
  public func update(_ device: Device, to spec: DeviceSpec) throws(OrchestratorError) -> Outcome {
    guard let device = try self.device(named: spec.name) else { return try add(spec) }
    if device.differences(from: spec).isEmpty { return .unchanged }
    if device.needsReplacement(for: spec) {
      try replace(device, with: spec)
      return .replaced
    }
    do throws(OrchestratorError) {
      try change(device, to: spec)
    } catch {
      throw restore(device, after: error)
    }
    return .changed
  }

  /// What `update` would refuse, without changing anything.
  public func checkUpdatable(_ device: Device, to spec: DeviceSpec) throws(OrchestratorError) {
    if device.needsReplacement(for: spec) || spec.owner != device.tun.owner || spec.group != device.tun.group {
      try refuseIfHeld(device)
    }
  }

  /// Changes what differs, looks, and changes what differs then: a link that goes down loses its IPv6 addresses, and one
  /// whose MTU falls below IPv6's least.
  private func change(_ device: Device, to spec: DeviceSpec) throws(OrchestratorError) {
    var device = device
    for _ in 0..<3 {
      if spec.owner != device.tun.owner || spec.group != device.tun.group { try changeOwner(device, to: spec) }
      let bridge = try spec.bridge.map { bridge throws(OrchestratorError) in try index(ofBridge: bridge) }
      let operations = Self.operations(from: device, to: spec, bridge: bridge)
      try attempt(
        try links.apply(operations.map { LinkRequest($0, of: device.link.index, named: device.link.name) }))
      guard let changed = try self.device(named: spec.name) else {
        throw .absent(kind: "tap", name: spec.name.description)
      }
      device = changed
      if device.differences(from: spec).isEmpty { return }
    }
    throw .differs(device, device.differences(from: spec))
  }

  /// TUNSETOWNER and TUNSETGROUP go through a queue. One that a process beside holds would lose frames to it.
  private func changeOwner(_ device: Device, to spec: DeviceSpec) throws(OrchestratorError) {
    try refuseIfHeld(device)
    let queue = try attempt(try TapQueue(spec.name, flags: .multiQueueTap, kernel: kernel))
    if let owner = spec.owner, owner != device.tun.owner { try attempt(try queue.setOwner(owner)) }
    if let group = spec.group, group != device.tun.group { try attempt(try queue.setGroup(group)) }
  }

  /// The messages that lead from one to the other, in an order that works: no address is left that an MTU would take away,
  /// and none is added before the MTU allows it.
  private static func operations(
    from device: Device, to spec: DeviceSpec, bridge: Int?
  ) -> [LinkRequest.Operation] {
    var operations = Set(device.addresses).subtracting(spec.addresses).map { LinkRequest.Operation.removeAddress($0) }
    if !spec.isUp, device.link.isUp { operations.append(.change(LinkChange(isUp: false))) }
    let record = DeviceRecord(pairs: spec.pairs, backpressure: spec.backpressure)
    let change = LinkChange(
      mac: spec.mac == device.link.mac ? nil : spec.mac, mtu: spec.mtu == device.link.mtu ? nil : spec.mtu,
      alias: record == device.record ? nil : record.alias)
    if change != LinkChange() { operations.append(.change(change)) }
    if bridge != device.link.master { operations.append(.change(LinkChange(master: bridge ?? 0))) }
    operations += Set(spec.addresses).subtracting(device.addresses).map { .addAddress($0) }
    if spec.isUp, !device.link.isUp { operations.append(.change(LinkChange(isUp: true))) }
    return operations
  }

  /// Puts back what a change has done before it failed.
  private func restore(_ device: Device, after cause: OrchestratorError) -> OrchestratorError {
    guard let spec = try? DeviceSpec(restoring: device) else {
      return .halfChanged(cause, why: "it was not as mqctl makes a tap")
    }
    do throws(OrchestratorError) {
      guard let now = try self.device(named: spec.name) else { return cause }
      if !now.differences(from: spec).isEmpty { try change(now, to: spec) }
      return cause
    } catch {
      return .halfChanged(cause, why: "\(error)")
    }
  }
}
