internal import LinuxIO
internal import SystemPackage
public import VhostKernel

/// A thread that runs vhost devices' work, as /proc shows it: named `vhost-` and the thread id of whoever called
/// VHOST_SET_OWNER, which is the owner's process id where its first thread did.
public struct Worker: Sendable, Hashable {
  /// Its thread id.
  public let thread: Int
  /// A thread of the owner, or one of the kernel's own.
  public let kind: WorkerKind

  /// The workers of a process. One vhost device has one from VHOST_SET_OWNER on; the list does not tell which is whose,
  /// so whoever needs to know looks before and after each. A kernel thread is found while the thread that it is named
  /// after is there.
  public static func all(of process: Int) -> Set<Worker> {
    var workers: Set<Worker> = []
    let threads = numbers(in: "/proc/\(process)/task")
    for thread in threads where owner(of: "/proc/\(process)/task/\(thread)/comm") != nil {
      workers.insert(Worker(thread: thread, kind: .task))
    }
    // Kernel threads appear as processes of their own; no process may be looked at for long, there may be thousands.
    let owners = Set(threads).union([process])
    for other in numbers(in: "/proc") where other != process {
      if let owner = owner(of: "/proc/\(other)/comm"), owners.contains(owner) {
        workers.insert(Worker(thread: other, kind: .kthread))
      }
    }
    return workers
  }

  /// The number behind `vhost-` in a thread's name.
  private static func owner(of path: String) -> Int? {
    guard let name = try? FileTree.text(of: path, limit: 32), name.hasPrefix("vhost-") else { return nil }
    return Int(name.dropFirst("vhost-".count))
  }

  private static func numbers(in folder: String) -> [Int] {
    ((try? FileTree.entries(of: folder)) ?? []).compactMap(Int.init)
  }
}
