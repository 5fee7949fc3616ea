internal import LinuxIO
internal import SystemPackage
public import VhostKernel

/// A thread that runs vhost devices' work, as /proc shows it: named `vhost-` and the owner's process id.
public struct Worker: Sendable, Hashable {
  /// Its thread id.
  public let thread: Int
  /// A thread of the owner, or one of the kernel's own.
  public let kind: WorkerKind

  /// The workers of a process. One vhost device has one from VHOST_SET_OWNER on; the list does not tell which is whose,
  /// so whoever needs to know looks before and after each.
  public static func all(of process: Int) -> Set<Worker> {
    let name = "vhost-\(process)"
    var workers: Set<Worker> = []
    for thread in numbers(in: "/proc/\(process)/task")
    where (try? FileTree.text(of: "/proc/\(process)/task/\(thread)/comm")) == name {
      workers.insert(Worker(thread: thread, kind: .task))
    }
    // Kernel threads appear as processes of their own; no process may be looked at for long, there may be thousands.
    for other in numbers(in: "/proc")
    where other != process && (try? FileTree.text(of: "/proc/\(other)/comm", limit: 32)) == name {
      workers.insert(Worker(thread: other, kind: .kthread))
    }
    return workers
  }

  private static func numbers(in folder: String) -> [Int] {
    ((try? FileTree.entries(of: folder)) ?? []).compactMap(Int.init)
  }
}
