internal import BasicContainers
public import LinuxIO
public import Orchestrator
internal import SystemPackage
public import TapMQ
internal import VhostKernel

/// Proves that each pair of a device carries frames both ways, by a software guest on each.
///
/// Of a pair with vhost-net: OWNER, FEATURES, MEM_TABLE, the rings and both backends are set up as a hypervisor does it;
/// frames go out of the TX ring and are seen on the tap by a packet socket; each is answered on the tap and the answer
/// must come out of *this pair's* RX ring, since tun steers a flow to the queue it last came from. At the end both rings
/// are stopped and VHOST_RESET_OWNER gives the descriptor back, as virgin as it was.
///
/// Without vhost-net the same frames go through each tap queue's own descriptor.
///
/// The tap must be up, in this thread's network namespace, and its queues open in `PairSet` only. Needs CAP_NET_RAW.
public enum Verification {
  /// What was found of one pair.
  public struct PairReport: Sendable, Equatable {
    /// The pair.
    public let pair: Int
    /// The worker that VHOST_SET_OWNER started.
    public internal(set) var worker: Worker?
    /// Frames that left the guest, and of those how many were seen on the tap.
    public internal(set) var sent = 0
    /// Likewise.
    public internal(set) var seen = 0
    /// Answers that were sent on the tap, and of those how many came out of this pair's RX ring.
    public internal(set) var answered = 0
    /// Likewise.
    public internal(set) var received = 0
    /// The median time from a frame's leaving the guest to its answer's arrival there.
    public internal(set) var medianMicroseconds: Double?
    /// The step that failed first.
    public internal(set) var failure: Step?

    /// Frames that were sent one way or the other and did not arrive.
    public var lost: Int { sent - seen + answered - received }
    /// Whether everything arrived and nothing failed.
    public var passed: Bool { failure == nil && lost == 0 && received > 0 }

    internal init(pair: Int) {
      self.pair = pair
    }
  }

  /// A step that failed, and what it said.
  public struct Step: Error, Sendable, Equatable, CustomStringConvertible {
    /// The ioctl, the call or the ring.
    public let name: String
    /// The cause.
    public let cause: String

    internal init(_ name: String, _ cause: String) {
      self.name = name
      self.cause = cause
    }

    internal init(_ error: VhostError) {
      name = error.operation + (error.ring.map { ", ring \($0)" } ?? "")
      cause = "\(error.errno)"
    }

    /// Such as `VHOST_SET_MEM_TABLE: Bad address`.
    public var description: String { "\(name): \(cause)" }
  }

  /// Proves every pair, one after the other, while all of them run.
  ///
  /// What concerns one pair is in its report; thrown is what concerns the device: also a header size that could not be
  /// set back, as whoever takes the queues over would read frames at the wrong offset.
  ///
  /// - Parameters:
  ///   - frames: how many each way, at least 1.
  ///   - patience: how long a frame may take, in milliseconds.
  ///   - links: a session in the tap's network namespace.
  ///   - progress: called with each pair's report once its frames are through.
  public static func run<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>(
    _ set: borrowing PairSet<Kernel>, frames: Int, patience: Int = 1000, kernel: Kernel, links: borrowing Links,
    progress: (PairReport) -> Void = { _ in }
  ) throws(OrchestratorError) -> [PairReport] {
    let socket: OwnedDescriptor
    do {
      socket = try kernel.packetSocket(interfaceIndex: set.device.link.index, etherType: ProbeFrame.etherType)
    } catch {
      throw .system("packet socket on \(set.device.link.name)", error)
    }
    try awaitOperation(of: set, kernel: kernel, links: links)
    let headerSize = try header(of: set)
    var reports = (0..<set.count).map { PairReport(pair: $0) }
    let exchange = ProbeExchange(kernel: kernel, socket: socket.descriptor, frames: frames, patience: patience)
    if set.hasVhost {
      runVhost(set, exchange, kernel: kernel, &reports, progress)
    } else {
      var ports = UniqueArray<TapPort<Kernel>?>()
      for index in 0..<set.count {
        ports.append(TapPort(set.pairs[index].tap, headerSize: .mergeable, kernel: kernel))
      }
      exchange.run(&ports, &reports, progress)
    }
    try restore(headerSize, of: set)
    return reports
  }

  /// Waits until the kernel has noticed that the tap has a carrier (net/core/link_watch.c): at once, or up to a second
  /// after the last such change.
  private static func awaitOperation<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>(
    of set: borrowing PairSet<Kernel>, kernel: Kernel, links: borrowing Links
  ) throws(OrchestratorError) {
    let name = set.device.link.name
    let deadline = ContinuousClock.now + .seconds(3)
    while true {
      do throws(TapError) {
        guard let interface = try? InterfaceName(name), let link = try links.link(named: interface) else {
          throw TapError("RTM_GETLINK", interface: name, errno: .operationNotSupportedByDevice)
        }
        if link.isOperational { return }
      } catch {
        throw .tap(error)
      }
      guard ContinuousClock.now < deadline else { throw .notOperational(name) }
      _ = try? kernel.poll([], milliseconds: 2)
    }
  }

  private static func runVhost<Kernel: KernelInterface>(
    _ set: borrowing PairSet<Kernel>, _ exchange: ProbeExchange<Kernel>, kernel: Kernel,
    _ reports: inout [PairReport], _ progress: (PairReport) -> Void
  ) {
    var ports = UniqueArray<VhostPort<Kernel>?>()
    ports.reserveCapacity(set.count)
    var workers = WorkerWatch()
    var hasStarted = [Bool](repeating: false, count: set.count)
    for index in 0..<set.count {
      do throws(Step) {
        var port = try VhostPort(kernel: kernel)
        var worker: Worker?
        defer { reports[index].worker = worker }
        switch set.pairs[index].vhost {
        case .some(let vhost): try port.start(vhost, on: set.pairs[index].tap) { worker = workers.next() }
        case .none: throw Step("open /dev/vhost-net", "this pair has none")
        }
        ports.append(port)
        hasStarted[index] = true
      } catch {
        reports[index].failure = error
        ports.append(nil)
      }
    }
    exchange.run(&ports, &reports, progress)
    for index in 0..<set.count {
      switch set.pairs[index].vhost {
      case .some(let vhost):
        // One that did not start is reset already.
        guard hasStarted[index] else { continue }
        do throws(VhostError) {
          try stop(vhost)
        } catch {
          reports[index].failure = reports[index].failure ?? Step(error)
        }
      case .none: break
      }
    }
  }

  /// Both backends off, both indices asked for, the owner reset. Whatever of it fails, the reset is tried: it stops the
  /// rings as well, and without it the descriptor would be nobody else's ever again.
  private static func stop<Kernel: KernelInterface>(_ vhost: borrowing VhostNet<Kernel>) throws(VhostError) {
    do throws(VhostError) {
      for ring in VhostRing.allCases { try vhost.setBackend(ring, to: nil) }
      for ring in VhostRing.allCases { _ = try vhost.vringBase(of: ring) }
    } catch {
      try? vhost.resetOwner()
      throw error
    }
    try vhost.resetOwner()
  }

  /// The header's size is the device's, so one queue is asked and told for all. Returns what it was.
  private static func header<Kernel: KernelInterface>(
    of set: borrowing PairSet<Kernel>
  ) throws(OrchestratorError) -> VnetHeaderSize {
    do throws(TapError) {
      let before = try set.pairs[0].tap.vnetHeaderSize()
      try set.pairs[0].tap.setVnetHeaderSize(.mergeable)
      return before
    } catch {
      throw .tap(error)
    }
  }

  private static func restore<Kernel: KernelInterface>(
    _ size: VnetHeaderSize, of set: borrowing PairSet<Kernel>
  ) throws(OrchestratorError) {
    do {
      try set.pairs[0].tap.setVnetHeaderSize(size)
    } catch {
      throw .tap(error)
    }
  }
}
