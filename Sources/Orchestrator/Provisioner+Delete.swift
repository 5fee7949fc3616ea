internal import LinuxIO
internal import SystemPackage
public import TapMQ

extension Provisioner where Links: ~Copyable {
  /// How many taps are removed in one go: each go waits for the kernel's RCU grace periods once, and holds up whoever else
  /// works on links for as long as it takes.
  private static var batch: Int { 256 }

  /// A device that was to be removed, and the link that has its name now.
  private typealias Removal = (device: Device, link: LinkInfo)

  /// Removes many at once, which is some thirty times as fast as one after the other: they are put into a group of their
  /// own, and the group is deleted, all by one send.
  ///
  /// `devices` may be old: right before each send all links are looked at again, and what has a device's name then is treated
  /// as by ``delete(_:force:)``. It ends at the first batch that has one to be refused, or of which the kernel refuses one.
  ///
  /// - Parameters:
  ///   - devices: those that are to go; no two of one name.
  ///   - force: whether one goes that this program did not make, or that somebody holds.
  ///   - isMeant: says of a link that has a device's name whether it is to go; else it stays, as if there were none.
  ///   - report: told what became of each: true if it was removed, false if there was none by then. Where this throws, it was
  ///     told of all that are gone.
  public func delete(
    _ devices: [Device], force: Bool = false, where isMeant: (LinkInfo) -> Bool = { _ in true },
    report: (Device, Bool) -> Void = { _, _ in }
  ) throws(OrchestratorError) {
    var rest = devices[...]
    while !rest.isEmpty {
      let batch = rest.prefix(Self.batch)
      rest = rest.dropFirst(Self.batch)
      let (removals, group) = try lookAgain(at: batch, force: force, where: isMeant)
      let names = Set(removals.map(\.link.name))
      for device in batch where !names.contains(device.link.name) { report(device, false) }
      try remove(removals, by: group, report)
    }
  }

  /// One look at all links, in which nobody holds what is to go (unless forced), and the number of a group that is free.
  private func lookAgain(
    at devices: ArraySlice<Device>, force: Bool, where isMeant: (LinkInfo) -> Bool
  ) throws(OrchestratorError) -> (removals: [Removal], group: Int) {
    var rounds = 0
    while true {
      let all = try attempt(try links.links())
      let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }
      var removals: [Removal] = []
      var held: Device?
      for device in devices {
        guard let link = byName[device.link.name], isMeant(link) else { continue }
        guard let now = Device(link: link, bridge: device.bridge, addresses: device.addresses) else {
          throw .notATap(link)
        }
        removals.append((device, link))
        if force { continue }
        guard now.record != nil else { throw .notOurs(now) }
        if now.openQueues > 0, held == nil { held = now }
      }
      guard let held else { return (removals, Self.freeGroup(beside: all)) }
      // It waits a little for one that is being let go; then this look is an old one.
      try refuseIfHeld(held)
      rounds += 1
      if rounds == 10 { throw .held(held, by: HolderTable().holders(of: held.link.name)) }
    }
  }

  private static func freeGroup(beside links: [LinkInfo]) -> Int {
    let taken = Set(links.map(\.group))
    var group = Int(UInt32(ProcessControl.processID)) | 1 << 30
    while taken.contains(group) { group += 1 }
    return group
  }

  private func remove(
    _ removals: [Removal], by group: Int, _ report: (Device, Bool) -> Void
  ) throws(OrchestratorError) {
    guard let first = removals.first else { return }
    var requests = removals.map {
      LinkRequest(.change(LinkChange(group: group)), of: $0.link.index, named: $0.link.name)
    }
    requests.append(LinkRequest(.deleteGroup(group), of: 0, named: first.link.name))
    var failure: TapError?
    // Those that somebody else removed since the look.
    var absent: Set<String> = []
    do throws(TapError) {
      for refusal in try links.send(requests) {
        if refusal.errno != .operationNotSupportedByDevice {
          failure = failure ?? refusal
        } else if refusal.operation == "RTM_SETLINK", let name = refusal.interface {
          absent.insert(name)
        }
      }
    } catch {
      failure = error
    }
    let left = failure == nil ? [] : restore(removals)
    for (device, link) in removals where !left.contains(link.index) { report(device, !absent.contains(link.name)) }
    if let failure { throw .tap(failure) }
  }

  /// After a failure: which are there all the same, as far as that can be known. They go back to the groups that they were in.
  private func restore(_ removals: [Removal]) -> Set<Int> {
    let indices = Set(removals.map(\.link.index))
    let left = (try? links.links()).map { indices.intersection($0.map(\.index)) } ?? indices
    _ = try? links.send(
      removals.filter { left.contains($0.link.index) }.map {
        LinkRequest(.change(LinkChange(group: $0.link.group)), of: $0.link.index, named: $0.link.name)
      })
    return left
  }
}
