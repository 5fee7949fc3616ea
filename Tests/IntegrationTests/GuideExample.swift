import DataPlane
import LinuxIO
import Orchestrator
import SystemPackage
import TapMQ
import VhostKernel
import Virtqueue

/// What the libraries' guide shows (docs/MultiQueue.docc/Guide.md): its code is this text, which `scripts/docs` compares.
/// It uses what is public, and nothing else.
enum GuideExample {
  static func makeTap(_ name: String, pairs: Int) throws -> Device? {
    let provisioner = Provisioner(kernel: LinuxKernel(), links: try LinkSession())
    let spec = try DeviceSpec(name: InterfaceName(name), pairs: pairs, owner: 0)
    switch try provisioner.create(spec) {
    case .created: print("\(spec.name): made")
    case .unchanged: print("\(spec.name): it was there, just so")
    case .changed, .replaced: break  // with replace: true, and by a plan
    }
    return try provisioner.device(named: spec.name)
  }

  static func openPairs(_ name: String) throws -> PairSet<LinuxKernel> {
    let provisioner = Provisioner(kernel: LinuxKernel(), links: try LinkSession())
    let set = try PairSet.open(InterfaceName(name), vhost: .auto, through: provisioner)
    if let absence = set.vhostAbsence {
      print("the tap queues alone: \(absence)")
    }
    return set
  }

  static func prove(_ set: borrowing PairSet<LinuxKernel>) throws -> Bool {
    let reports = try Verification.run(set, frames: 16, kernel: LinuxKernel(), links: LinkSession())
    for report in reports where !report.passed {
      print("pair \(report.pair): \(report.failure?.description ?? "\(report.lost) frames lost")")
    }
    return reports.allSatisfy(\.passed)
  }

  static func become(_ hypervisor: [String], with set: borrowing PairSet<LinuxKernel>) throws -> Never {
    let handOff = HandOff(
      interface: set.device.link.name, pairs: set.count, hasVhost: set.hasVhost,
      guestMAC: set.device.link.mac?.guestSide)
    try ProcessControl.arrangeInherited(set.tapDescriptors + set.vhostDescriptors)
    for (name, value) in handOff.environment {
      try ProcessControl.setEnvironment(name, to: value)
    }
    try ProcessControl.setEnvironment("LISTEN_PID", to: String(ProcessControl.processID))
    try Privileges.drop(becoming: nil)
    // In its words {netdev} and {device} stand for QEMU's, {tap-fds} and {vhost-fds} for the numbers.
    try ProcessControl.execute(hypervisor.map(handOff.fill))
  }

  /// A ring of the guest's, and the eventfds that go with it.
  struct GuestRing: ~Copyable {
    let layout: SplitRingLayout
    let kick: OwnedDescriptor
    let call: OwnedDescriptor
  }

  static func wire(
    _ pair: borrowing QueuePair<LinuxKernel>, to memory: borrowing SharedMapping, guestAddress: UInt64,
    receive: borrowing GuestRing, transmit: borrowing GuestRing
  ) throws {
    // With VIRTIO_F_VERSION_1 the header before each frame has 12 bytes.
    try pair.tap.setVnetHeaderSize(.mergeable)
    switch pair.vhost {
    case .some(let vhost):
      try vhost.setOwner()
      try vhost.setFeatures(.version1)
      try vhost.setMemoryTable(
        MemoryTable([
          .init(guestAddress: guestAddress, byteCount: UInt64(memory.byteCount), userAddress: memory.address)
        ]))
      try tell(vhost, .receive, receive, in: memory)
      try tell(vhost, .transmit, transmit, in: memory)
      try vhost.setBackend(.receive, to: pair.tap.fileDescriptor)
      try vhost.setBackend(.transmit, to: pair.tap.fileDescriptor)
    case .none:
      throw Errno.noSuchFileOrDirectory
    }
  }

  static func tell(
    _ vhost: borrowing VhostNet<LinuxKernel>, _ ring: VhostRing, _ guest: borrowing GuestRing,
    in memory: borrowing SharedMapping
  ) throws {
    try vhost.setVringNumber(ring, to: guest.layout.size)
    try vhost.setVringBase(ring, to: 0)
    try vhost.setVringAddresses(
      ring,
      VringAddresses(
        descriptors: memory.address + UInt64(guest.layout.descriptors),
        available: memory.address + UInt64(guest.layout.available),
        used: memory.address + UInt64(guest.layout.used)))
    try vhost.setVringKick(ring, guest.kick.descriptor)
    try vhost.setVringCall(ring, guest.call.descriptor)
  }

  static func serve(
    _ set: consuming PairSet<LinuxKernel>, at path: String, until termination: FileDescriptor
  ) throws {
    let kernel = LinuxKernel()
    let offloads = try TapOffload.probe(kernel: kernel)
    let listener = try ListeningSocket(binding: path, mode: 0o600, owner: nil, group: nil)
    var server = try Server(set, on: KernelPlane(), offloads: offloads, keepsCarrier: false, kernel: kernel)
    try server.start()
    try server.run(on: listener.descriptor, until: termination, once: false) { event in
      print(event)
    }
    try listener.unlink()
  }
}
