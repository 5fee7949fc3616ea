public import BasicContainers
public import LinuxIO
public import SystemPackage
public import TapMQ
public import VhostKernel

/// Whether pairs are to have vhost-net.
public enum VhostPolicy: String, Sendable, CaseIterable {
  /// Where the kernel has it and this process may open it.
  case auto
  /// Or nothing at all.
  case require
  /// Taps alone.
  case off
}

/// All pairs of a device, opened together: all of them, or none.
public struct PairSet<Kernel: KernelInterface>: ~Copyable, Sendable {
  /// The device.
  public let device: Device
  /// The pairs in order.
  public let pairs: UniqueArray<QueuePair<Kernel>>
  /// Why there is no vhost-net, where `.auto` did without.
  public let vhostAbsence: VhostError?

  /// How many.
  public var count: Int { pairs.count }

  /// Whether each pair has a vhost device.
  public var hasVhost: Bool { pairs.count > 0 && pairs[0].vhost != nil }

  /// The tap queues' descriptors in order, borrowed.
  public var tapDescriptors: [FileDescriptor] {
    (0..<pairs.count).map { pairs[$0].tap.fileDescriptor }
  }

  /// The vhost descriptors in order, borrowed; empty without vhost.
  public var vhostDescriptors: [FileDescriptor] {
    var descriptors: [FileDescriptor] = []
    for index in 0..<pairs.count {
      switch pairs[index].vhost {
      case .some(let vhost): descriptors.append(vhost.fileDescriptor)
      case .none: break
      }
    }
    return descriptors
  }

  /// Opens a tap's queues and as many virgin vhost-net devices.
  ///
  /// For each pair open(2) and TUNSETIFF, then open(2) of /dev/vhost-net. Refuses a tap that is in use: further queues
  /// would take flows from those that are there.
  ///
  /// - Parameters:
  ///   - count: how many pairs; nil for as many as the device remembers.
  ///   - worker: what `VHOST_SET_FORK_FROM_OWNER` is set to, on virgin descriptors; nil leaves the kernel's choice.
  ///   - first: the queue that an ephemeral device was made with, which becomes pair 0's.
  public static func open<Links: LinkInterface & ~Copyable>(
    _ name: InterfaceName, count: Int? = nil, vhost policy: VhostPolicy, worker: WorkerKind? = nil,
    first: consuming TapQueue<Kernel>? = nil, through provisioner: borrowing Provisioner<Kernel, Links>
  ) throws(OrchestratorError) -> PairSet {
    guard let device = try provisioner.device(named: name) else { throw .absent(kind: "tap", name: name.description) }
    // The name may have been an alternative one, which TUNSETIFF must not be asked for.
    let name = (try? InterfaceName(device.link.name)) ?? name
    let flags = try device.requireMultiQueue()
    try provisioner.refuseIfHeld(device, beside: first == nil ? 0 : 1)
    guard let count = count ?? device.record?.pairs else { throw .pairsUnknown(device) }

    let kernel = provisioner.kernel
    var absence: VhostError?
    var pairs = UniqueArray<QueuePair<Kernel>>()
    pairs.reserveCapacity(count)
    for index in 0..<count {
      let tap: TapQueue<Kernel>
      if let made = first.take() {
        tap = made
      } else {
        tap = try attempt(try TapQueue(name, index: index, flags: flags, kernel: kernel))
      }
      let vhost: VhostNet<Kernel>?
      do throws(VhostError) {
        vhost = policy == .off || absence != nil ? nil : try VhostNet(kernel: kernel)
      } catch {
        guard index == 0, policy == .auto, error.isAbsence else { throw .vhost(error, pair: index) }
        absence = error
        vhost = nil
      }
      pairs.append(QueuePair(index: index, vhost: vhost, tap: tap))
    }
    // Somebody else may have done the same meanwhile, or deleted the tap, so that TUNSETIFF made one anew.
    guard let link = try attempt(try provisioner.links.link(named: name)), link.index == device.link.index,
      let now = Device(link: link, bridge: device.bridge, addresses: device.addresses)
    else { throw .absent(kind: "tap", name: name.description) }
    try provisioner.refuseIfHeld(now, beside: count)
    let set = PairSet(device: device, pairs: pairs, vhostAbsence: absence)
    if let worker { try set.choose(worker, kernel: kernel) }
    return set
  }

  private init(device: Device, pairs: consuming UniqueArray<QueuePair<Kernel>>, vhostAbsence: VhostError?) {
    self.device = device
    self.pairs = pairs
    self.vhostAbsence = vhostAbsence
  }

  /// VHOST_SET_FORK_FROM_OWNER on every device, which must be virgin; VHOST_RESET_OWNER forgets it again. A kernel
  /// without it has one kind of worker only, which may be the one that is wanted: that is found by looking.
  public func choose(_ kind: WorkerKind, kernel: Kernel) throws(OrchestratorError) {
    for index in 0..<pairs.count {
      switch pairs[index].vhost {
      case .some(let vhost):
        do throws(VhostError) {
          try vhost.setForkFromOwner(kind)
        } catch {
          guard index == 0, WorkerKind.isNoChoice(error.errno) else { throw .vhost(error, pair: index) }
          if try WorkerKind.native(kernel: kernel) == kind { return }
          throw .unsupported(
            feature: "workers of kind \(kind.rawValue)", needs: "CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL (Linux 6.18)")
        }
      case .none: break
      }
    }
  }
}

extension Device {
  /// The flags to open a further queue with, if the tap is one that takes any.
  internal func requireMultiQueue() throws(OrchestratorError) -> TapFlags {
    guard tun.multiQueue else { throw .unsuitable(self, lacks: "multi_queue") }
    guard tun.vnetHeader else { throw .unsuitable(self, lacks: "vnet_hdr") }
    guard !tun.packetInformation else { throw .unsuitable(self, lacks: "no_pi") }
    return .multiQueueTap
  }
}

extension VhostError {
  /// The device node is not there, has no driver, or is not for this user.
  fileprivate var isAbsence: Bool {
    [
      Errno.noSuchFileOrDirectory, .operationNotSupportedByDevice, .noSuchAddressOrDevice, .permissionDenied,
      .notPermitted,
    ].contains(errno)
  }
}

extension WorkerKind {
  /// What a kernel without VHOST_SET_FORK_FROM_OWNER says to it: an unknown ioctl is taken for a vring's, and that
  /// needs an owner (EPERM).
  internal static func isNoChoice(_ errno: Errno) -> Bool {
    [Errno.notPermitted, .invalidArgument, .inappropriateIOCTLForDevice, Errno(rawValue: 515)].contains(errno)
  }

  /// The kind that this kernel gives when it is not told: VHOST_SET_OWNER on a device of our own, then a look at the
  /// threads.
  public static func native(kernel: some KernelInterface) throws(OrchestratorError) -> WorkerKind {
    do throws(VhostError) {
      var watch = WorkerWatch()
      let vhost = try VhostNet(kernel: kernel)
      try vhost.setOwner()
      guard let worker = watch.next() else {
        throw VhostError("VHOST_SET_OWNER started no worker", errno: .noSuchProcess)
      }
      return worker.kind
    } catch {
      throw .vhost(error, pair: 0)
    }
  }
}
