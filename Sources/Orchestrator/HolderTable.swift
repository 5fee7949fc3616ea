internal import LinuxIO
internal import SystemPackage
internal import TapMQ

/// Who holds the queues of which tap, from one look through /proc: the descriptors of /dev/net/tun, and what `iff:` in
/// their fdinfo says.
///
/// Needs CAP_SYS_PTRACE to see processes of other users; what cannot be read is not reported. A detached queue names no
/// interface (tun_chr_show_fdinfo), so its holder is not found.
public struct HolderTable: Sendable {
  /// A queue's descriptor in some process.
  private struct Queue: Sendable {
    let process: Int
    let descriptor: Int
  }

  private var queues: [String: [Queue]] = [:]
  private var vhostDescriptors: [Int: Int] = [:]

  /// Looks.
  public init() {
    for process in ((try? FileTree.entries(of: "/proc")) ?? []).compactMap(Int.init).sorted() {
      for descriptor in ((try? FileTree.entries(of: "/proc/\(process)/fd")) ?? []).compactMap(Int.init).sorted() {
        switch try? FileTree.linkTarget(of: "/proc/\(process)/fd/\(descriptor)") {
        case "/dev/net/tun":
          if let interface = Self.interface(of: descriptor, in: process) {
            queues[interface, default: []].append(Queue(process: process, descriptor: descriptor))
          }
        case "/dev/vhost-net":
          vhostDescriptors[process, default: 0] += 1
        default:
          break
        }
      }
    }
  }

  /// Who holds attached queues of the tap of that name in this thread's network namespace.
  public func holders(of interface: String) -> [QueueHolder] {
    let here = (queues[interface] ?? []).filter { Self.isHere($0) }
    return Set(here.map(\.process)).sorted().map { process in
      QueueHolder(
        process: process, command: (try? FileTree.text(of: "/proc/\(process)/comm")) ?? "?",
        attachedQueues: here.count { $0.process == process }, vhostDescriptors: vhostDescriptors[process] ?? 0)
    }
  }

  private static func interface(of descriptor: Int, in process: Int) -> String? {
    guard let info = try? FileTree.text(of: "/proc/\(process)/fdinfo/\(descriptor)"),
      let line = info.split(separator: "\n").first(where: { $0.hasPrefix("iff:\t") })
    else { return nil }
    return String(line.dropFirst("iff:\t".count))
  }

  /// The name in fdinfo says nothing of the namespace. TUNGETDEVNETNS on a copy of the descriptor does; where that is
  /// not allowed, the name has to do. Any other failure means that the process has ended or closed it meanwhile.
  private static func isHere(_ queue: Queue) -> Bool {
    do throws(Errno) {
      let own = try FileTree.identity(of: "/proc/thread-self/ns/net")
      let copy = try ProcessControl.copy(descriptor: queue.descriptor, ofProcess: queue.process)
      return try TapNamespace.identity(of: copy.descriptor) == own
    } catch {
      return error == .notPermitted || error == .permissionDenied || error == .noFunction
    }
  }
}
