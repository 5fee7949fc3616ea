internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// What `doctor` finds.
struct Examination {
  enum State: String, Encodable {
    /// There.
    case ok
    /// Not there, and something works less well for it.
    case less
    /// Not there, and the main job needs it.
    case no
  }

  struct Finding: Encodable {
    let state: State
    let what: String
    let found: String
    let mend: String?
  }

  private(set) var findings: [Finding] = []
  /// The exit code, where the main job is impossible.
  private(set) var worst: Failure.Code?

  init(pairs: Int) {
    lookAtTun()
    lookAtVhost()
    lookAtCapabilities()
    lookAtLimits(pairs)
  }

  private mutating func add(_ state: State, _ what: String, _ found: String, _ mend: String? = nil) {
    findings.append(Finding(state: state, what: what, found: found, mend: mend))
  }

  private mutating func lookAtTun() {
    do throws(TapError) {
      let flags = try TapSupport(probing: LinuxKernel()).flags
      add(.ok, "/dev/net/tun", "can be opened")
      if flags.contains(.multiQueue) {
        add(.ok, "tun multi_queue", "up to 256 queues a tap")
      } else {
        worst = .unsupported
        add(.no, "tun multi_queue", "this kernel's tun has none", "use Linux 3.8 or newer")
      }
      let others: [(TapFlags, String)] = [(.vnetHeader, "vnet_hdr"), (.napi, "napi"), (.backpressure, "backpressure")]
      add(.ok, "tun flags", others.filter { flags.contains($0.0) }.map(\.1).joined(separator: " "))
    } catch {
      let failure = Failure(.tap(error))
      worst = failure.code == .notPermitted ? .notPermitted : .unsupported
      add(.no, "/dev/net/tun", "\(error.errno)", failure.mend)
      return
    }
    do throws(TapError) {
      let offloads = try TapOffload.probe(kernel: LinuxKernel())
      add(.ok, "tun offloads", offloads.isEmpty ? "none" : offloads.map(\.name).joined(separator: " "))
    } catch {
      worst = worst ?? Failure(.tap(error)).code
      add(.no, "making a tap", "\(error)", Failure(.tap(error)).mend)
    }
  }

  private mutating func lookAtVhost() {
    do throws(VhostError) {
      let vhost = try VhostNet(kernel: LinuxKernel())
      add(.ok, "/dev/vhost-net", "can be opened")
      add(.ok, "vhost features", try vhost.features().names.joined(separator: " "))
      let choice: WorkerKind?
      do throws(VhostError) {
        choice = try vhost.forkFromOwner()
      } catch {
        choice = nil
      }
      do throws(OrchestratorError) {
        let kind = try WorkerKind.native(kernel: LinuxKernel())
        let means = kind == .task ? "threads of the hypervisor" : "kernel threads"
        add(
          choice == nil ? .less : .ok, "vhost workers", "\(kind.rawValue): \(means)",
          choice == nil ? "'--worker' has no choice here: it came with Linux 6.18" : "'--worker' can choose")
      } catch {
        add(.less, "vhost workers", Failure(error).message, Failure(error).mend)
      }
    } catch {
      add(.less, "/dev/vhost-net", "\(error.errno)", Failure(error, pair: 0).mend)
      return
    }
    let regions = try? FileTree.text(of: "/sys/module/vhost/parameters/max_mem_regions")
    add(
      .ok, "vhost memory regions", regions ?? "64, the driver's default",
      regions == nil ? nil : "more: 'modprobe vhost max_mem_regions=N'")
  }

  private mutating func lookAtCapabilities() {
    if Privileges.hasNetAdmin {
      add(.ok, "CAP_NET_ADMIN", "held")
    } else {
      worst = worst ?? .notPermitted
      add(.no, "CAP_NET_ADMIN", "not held", "run as root: making a tap needs it")
    }
    if Privileges.hasNetRaw {
      add(.ok, "CAP_NET_RAW", "held")
    } else {
      add(.less, "CAP_NET_RAW", "not held", "run as root: 'verify' looks at frames by a packet socket")
    }
  }

  private mutating func lookAtLimits(_ pairs: Int) {
    // Beside the pairs' two descriptors each: four eventfds a pair while verifying, and a few of the program's own.
    let files = UInt64(6 * pairs + 16)
    limit("RLIMIT_NOFILE", ProcessControl.limit(.openFiles), needed: files, "'ulimit -n \(files)'", pairs)
    limit(
      "RLIMIT_NPROC", ProcessControl.limit(.threads), needed: UInt64(pairs), "'ulimit -u': each worker counts", pairs)
  }

  private mutating func limit(_ what: String, _ limit: UInt64?, needed: UInt64, _ mend: String, _ pairs: Int) {
    let found = limit.map(String.init) ?? "unlimited"
    if let limit, limit < needed {
      add(.less, what, "\(found), and \(pairs) pair(s) take \(needed)", mend)
    } else {
      add(.ok, what, "\(found), \(pairs) pair(s) take \(needed)")
    }
  }
}
