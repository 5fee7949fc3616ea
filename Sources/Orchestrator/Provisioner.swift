public import LinuxIO
internal import SystemPackage
public import TapMQ

/// Makes and removes taps, each wholly or not at all.
///
/// The kernel itself is the undo log: a device is made by IFF_TUN_EXCL on a queue of ours, dressed while it is not yet
/// persistent, and made persistent last. Until then any failure, or the death of this process between any two calls,
/// closes that queue, and the device goes with it.
///
/// Needs CAP_NET_ADMIN over the current network namespace.
public struct Provisioner<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>: ~Copyable {
  internal let kernel: Kernel
  /// The rtnetlink session.
  public let links: Links

  /// What `create` did.
  public enum Outcome: String, Sendable {
    /// There was none; now there is.
    case created
    /// It was there, just so.
    case unchanged
    /// It was there and different; it was changed in place.
    case changed
    /// It was there and different; it was replaced.
    case replaced
  }

  /// Works through these two.
  public init(kernel: Kernel, links: consuming Links) {
    self.kernel = kernel
    self.links = links
  }

  /// The tap of that name; nil if there is no such link.
  public func device(named name: InterfaceName) throws(OrchestratorError) -> Device? {
    guard let link = try attempt(try links.link(named: name)) else { return nil }
    var bridge: String?
    if let master = link.master {
      bridge = try attempt(try links.links()).first { $0.index == master }?.name
    }
    guard let addresses = try addresses(of: link) else { return nil }
    guard let device = Device(link: link, bridge: bridge, addresses: addresses) else { throw .notATap(link) }
    return device
  }

  /// Every tap of the namespace.
  public func devices() throws(OrchestratorError) -> [Device] { try survey().devices }

  /// Every link of the namespace, from one dump of links and one of addresses.
  public func survey() throws(OrchestratorError) -> Survey {
    let all = try attempt(try links.links())
    guard all.contains(where: { $0.tun?.isTap == true }) else { return Survey(all, addresses: [:]) }
    return Survey(all, addresses: try attempt(try links.addresses()))
  }

  /// Nil if the link has gone since it was looked at.
  private func addresses(of link: LinkInfo) throws(OrchestratorError) -> [InterfaceAddress]? {
    do {
      return try links.addresses(of: link.index)
    } catch {
      if error.errno == .operationNotSupportedByDevice { return nil }
      throw .tap(error)
    }
  }

  /// Makes the device that `spec` says, unless it is there.
  ///
  /// Two at once: IFF_TUN_EXCL lets one make it; the other waits until it is finished and compares.
  public func create(_ spec: DeviceSpec, replace: Bool = false) throws(OrchestratorError) -> Outcome {
    // Half a second for another maker to finish: making one takes a few milliseconds.
    for round in 0..<50 {
      guard let existing = try device(named: spec.name) else {
        guard try makeUnlessThere(spec) else { continue }
        return .created
      }
      let differences = existing.differences(from: spec)
      if differences.isEmpty { return .unchanged }
      if !existing.tun.persistent, existing.openQueues > 0, round < 49 {
        _ = try? kernel.poll([], milliseconds: 10)
        continue
      }
      guard replace else { throw .differs(existing, differences) }
      try self.replace(existing, with: spec)
      return .replaced
    }
    throw .system("\(spec.name) comes and goes", .resourceBusy)
  }

  /// Makes a device that a look at all devices has not shown: `create` without another look, unless there is one by now.
  public func add(_ spec: DeviceSpec) throws(OrchestratorError) -> Outcome {
    try makeUnlessThere(spec) ? .created : create(spec)
  }

  /// False if there is a link of that name.
  private func makeUnlessThere(_ spec: DeviceSpec) throws(OrchestratorError) -> Bool {
    do throws(OrchestratorError) {
      let queue = try make(spec, as: spec.name)
      try attempt(try queue.setPersistent(true))
      return true
    } catch {
      if case .tap(let error) = error, error.operation == "TUNSETIFF", error.errno == .resourceBusy { return false }
      throw error
    }
  }

  /// A device that dies with its last queue, and that queue.
  public func createEphemeral(_ spec: DeviceSpec) throws(OrchestratorError) -> TapQueue<Kernel> {
    if let existing = try device(named: spec.name) { throw .differs(existing, existing.differences(from: spec)) }
    return try make(spec, as: spec.name)
  }

  /// RTM_DELLINK. Refuses what this program did not make and what is in use, unless forced; a link that is no tap
  /// always. False if there was none.
  public func delete(_ name: InterfaceName, force: Bool = false) throws(OrchestratorError) -> Bool {
    guard let device = try checkDeletable(name, force: force) else { return false }
    do {
      try links.delete(device.link.index, named: device.link.name)
    } catch {
      // Somebody else was faster.
      if error.errno == .operationNotSupportedByDevice { return false }
      throw .tap(error)
    }
    return true
  }

  /// What `delete` would refuse, without deleting. Returns the device; nil if there is none.
  @discardableResult
  public func checkDeletable(_ name: InterfaceName, force: Bool = false) throws(OrchestratorError) -> Device? {
    guard let device = try device(named: name) else { return nil }
    if !force {
      guard device.record != nil else { throw .notOurs(device) }
      try refuseIfHeld(device)
    }
    return device
  }

  /// Throws `held` if queues are open, `own` of them aside.
  ///
  /// One that was closed a moment ago may still count: a child between fork(2) and exec(2) has it, and so has whoever
  /// reads its /proc/PID/fdinfo just then, as every look at all holders does. So a tenth of a second is given to it.
  internal func refuseIfHeld(_ device: Device, beside own: Int = 0) throws(OrchestratorError) {
    var openQueues = device.openQueues
    for _ in 0..<10 where openQueues > own {
      _ = try? kernel.poll([], milliseconds: 10)
      guard let name = try? InterfaceName(device.link.name), let link = try attempt(try links.link(named: name)),
        link.index == device.link.index, let tun = link.tun
      else { return }
      openQueues = tun.openQueues
    }
    if openQueues > own { throw .held(device, by: HolderTable().holders(of: device.link.name)) }
  }

  /// Builds the new device beside the old one under a name of its own, so that all that can fail does so while the old
  /// one stands.
  internal func replace(_ old: Device, with spec: DeviceSpec) throws(OrchestratorError) {
    try refuseIfHeld(old)
    guard let stage = try? InterfaceName("mq-\(ProcessControl.processID)") else {
      fatalError("a short name of letters and digits is valid")
    }
    let queue = try make(spec, as: stage, raise: false)
    let index = try attempt(try indexOfNew(stage))
    let oldSpec = try? DeviceSpec(restoring: old)
    try attempt(try links.delete(old.link.index, named: old.link.name))
    do throws(TapError) {
      try links.change(index, named: stage.description, LinkChange(name: spec.name))
      if spec.isUp { try links.change(index, named: spec.name.description, LinkChange(isUp: true)) }
      try queue.setPersistent(true)
    } catch {
      throw restore(oldSpec, removing: index, after: error)
    }
  }

  /// The old device is gone and the new one is not there: makes the old one again.
  private func restore(_ old: DeviceSpec?, removing index: Int, after cause: TapError) -> OrchestratorError {
    guard let old else { return .replacement(.tap(cause), restored: false, why: "it was not as mqctl makes a tap") }
    do throws(OrchestratorError) {
      // The new one may hold the name already.
      try? links.delete(index, named: old.name.description)
      let queue = try make(old, as: old.name)
      try attempt(try queue.setPersistent(true))
      return .replacement(.tap(cause), restored: true, why: nil)
    } catch {
      return .replacement(.tap(cause), restored: false, why: "\(error)")
    }
  }

  /// TUNSETIFF, then everything but TUNSETPERSIST.
  private func make(
    _ spec: DeviceSpec, as name: InterfaceName, raise: Bool = true
  ) throws(OrchestratorError) -> TapQueue<Kernel> {
    let bridge = try spec.bridge.map { bridge throws(OrchestratorError) in try index(ofBridge: bridge) }
    var flags = TapFlags.multiQueueTap
    if spec.backpressure {
      guard try attempt(try TapSupport(probing: kernel)).flags.contains(.backpressure) else {
        throw .unsupported(feature: "backpressure", needs: "a kernel whose tun driver has IFF_BACKPRESSURE (Linux 7)")
      }
      flags.insert(.backpressure)
    }
    let queue = try attempt(try TapQueue(name, flags: flags.union(.exclusive), kernel: kernel))
    guard queue.flags.isSuperset(of: flags) else {
      throw .tap(TapError("TUNSETIFF", interface: name.description, errno: .notSupported))
    }
    try attempt(try dress(queue, as: spec, bridge: bridge, raise: raise))
    return queue
  }

  /// Everything between TUNSETIFF and TUNSETPERSIST. The queueing discipline goes on before the link goes up, which
  /// would give each of the 256 transmit queues a ring.
  private func dress(
    _ queue: borrowing TapQueue<Kernel>, as spec: DeviceSpec, bridge: Int?, raise: Bool
  ) throws(TapError) {
    let name = queue.interface.description
    if let owner = spec.owner { try queue.setOwner(owner) }
    if let group = spec.group { try queue.setGroup(group) }
    let index = try indexOfNew(queue.interface)
    let record = DeviceRecord(pairs: spec.pairs, backpressure: spec.backpressure)
    let mtu = spec.mtu == DeviceSpec.defaultMTU ? nil : spec.mtu
    var operations: [LinkRequest.Operation] = [.change(LinkChange(mac: spec.mac, mtu: mtu, alias: record.alias))]
    if spec.qdisc == .noqueue { operations.append(.setRootQdisc("noqueue")) }
    if let bridge { operations.append(.change(LinkChange(master: bridge))) }
    operations += spec.addresses.map { .addAddress($0) }
    if spec.isUp, raise { operations.append(.change(LinkChange(isUp: true))) }
    // In one send. What follows one that is refused does no harm: the tap goes.
    try links.apply(operations.map { LinkRequest($0, of: index, named: name) })
  }

  private func indexOfNew(_ name: InterfaceName) throws(TapError) -> Int {
    guard let link = try links.link(named: name) else {
      throw TapError("RTM_GETLINK", interface: name.description, errno: .operationNotSupportedByDevice)
    }
    return link.index
  }

  internal func index(ofBridge name: InterfaceName) throws(OrchestratorError) -> Int {
    guard let link = try attempt(try links.link(named: name)) else {
      throw .absent(kind: "bridge", name: name.description)
    }
    guard link.kind == "bridge" else { throw .notABridge(link) }
    return link.index
  }
}

/// Runs calls on a tap or its link; what they throw becomes this room's error.
internal func attempt<Result: ~Copyable>(_ body: @autoclosure () throws(TapError) -> Result) throws(OrchestratorError)
  -> Result
{
  do {
    return try body()
  } catch {
    throw .tap(error)
  }
}

extension DeviceSpec {
  /// The words that would make a device as it is; throws for one that no words make, such as another program's.
  public init(restoring device: Device) throws(Invalid) {
    guard let name = try? InterfaceName(device.link.name) else { throw Invalid(description: device.link.name) }
    try self.init(
      name: name, pairs: device.record?.pairs ?? 1, owner: device.tun.owner, group: device.tun.group,
      mac: device.link.mac, mtu: device.link.mtu, bridge: device.bridge.flatMap { try? InterfaceName($0) },
      addresses: device.addresses, isUp: device.link.isUp,
      qdisc: device.link.qdisc == "noqueue" ? .noqueue : .default, backpressure: device.record?.backpressure ?? false)
    if let difference = device.differences(from: self).first { throw Invalid(description: difference.description) }
  }
}
