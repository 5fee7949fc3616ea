internal import LinuxIO
internal import SystemPackage
internal import TapMQ

/// Who holds the queues of which tap, from one look through /proc: the descriptors of the tun driver, and what `iff:` in
/// their fdinfo says. They are known by the device's number: a process in a container has the node under a name of its own.
///
/// Needs CAP_SYS_PTRACE to see processes of other users; what cannot be read is not reported.
public struct HolderTable: Sendable {
  /// A queue's descriptor in some process.
  private struct Queue: Sendable {
    let process: Int
    let descriptor: Int
  }

  /// TUN_MINOR and VHOST_NET_MINOR of <linux/miscdevice.h>, of the major number MISC_MAJOR.
  private static let tun = DeviceNumber(major: 10, minor: 200)
  private static let vhostNet = DeviceNumber(major: 10, minor: 238)

  private var queues: [String: [Queue]] = [:]
  private var vhostDescriptors: [Int: Int] = [:]

  /// Looks.
  public init() {
    for process in ((try? FileTree.entries(of: "/proc")) ?? []).compactMap(Int.init).sorted() {
      for descriptor in ((try? FileTree.entries(of: "/proc/\(process)/fd")) ?? []).compactMap(Int.init).sorted() {
        switch try? FileTree.characterDevice(of: "/proc/\(process)/fd/\(descriptor)") {
        case Self.tun:
          if let interface = Self.interface(of: descriptor, in: process) {
            queues[interface, default: []].append(Queue(process: process, descriptor: descriptor))
          }
        case Self.vhostNet:
          vhostDescriptors[process, default: 0] += 1
        default:
          break
        }
      }
    }
  }

  /// Who holds queues of the tap of that name in this thread's network namespace.
  public func holders(of interface: String) -> [QueueHolder] {
    let here = (queues[interface] ?? []).compactMap { queue in
      Self.isAttached(queue).map { (process: queue.process, isAttached: $0) }
    }
    return Set(here.map(\.process)).sorted().map { process in
      let own = here.filter { $0.process == process }
      let attached = own.count(where: \.isAttached)
      let command = (try? FileTree.text(of: "/proc/\(process)/comm")) ?? "?"
      return QueueHolder(
        process: process, command: command, attachedQueues: attached, detachedQueues: own.count - attached,
        vhostDescriptors: vhostDescriptors[process] ?? 0, served: ServedSocket(ofProcess: process, command: command))
    }
  }

  private static func interface(of descriptor: Int, in process: Int) -> String? {
    guard let info = try? FileTree.text(of: "/proc/\(process)/fdinfo/\(descriptor)"),
      let line = info.split(separator: "\n").first(where: { $0.hasPrefix("iff:\t") })
    else { return nil }
    return String(line.dropFirst("iff:\t".count))
  }

  /// Nil for a queue of another namespace's tap, of which fdinfo says nothing. TUNGETDEVNETNS and TUNGETIFF on a copy of the
  /// descriptor tell; where that is not allowed, the name has to do. Any other failure means that the process has
  /// ended or closed it meanwhile.
  private static func isAttached(_ queue: Queue) -> Bool? {
    do throws(Errno) {
      let own = try FileTree.identity(of: "/proc/thread-self/ns/net")
      let copy = try ProcessControl.copy(descriptor: queue.descriptor, ofProcess: queue.process)
      guard try QueueDescriptor.namespace(of: copy.descriptor) == own else { return nil }
      return try QueueDescriptor.isAttached(copy.descriptor)
    } catch {
      return error == .notPermitted || error == .permissionDenied || error == .noFunction ? true : nil
    }
  }
}
