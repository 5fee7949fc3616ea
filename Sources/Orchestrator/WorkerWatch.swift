internal import LinuxIO
internal import SystemPackage
internal import VhostKernel

/// Finds out which worker a VHOST_SET_OWNER of this thread started: the thread that was not there before. The kernel names
/// it after the thread that called, not after the process.
public struct WorkerWatch: Sendable {
  private var known: Set<Int>

  /// Remembers what there is.
  public init() {
    known = Set(Self.threads.union(Self.processes))
  }

  /// The worker that came since the last look; nil if none did.
  public mutating func next() -> Worker? {
    let threads = Self.threads
    // Kernel threads are processes of their own; a worker that is our thread makes that look unnecessary.
    let worker = find(threads, kind: .task, in: "/proc/self/task") ?? find(Self.processes, kind: .kthread, in: "/proc")
    known.formUnion(threads)
    return worker
  }

  private mutating func find(_ numbers: Set<Int>, kind: WorkerKind, in folder: String) -> Worker? {
    let name = "vhost-\(ProcessControl.threadID)"
    let new = numbers.subtracting(known)
    known.formUnion(new)
    return new.sorted().first { (try? FileTree.text(of: "\(folder)/\($0)/comm", limit: 64)) == name }
      .map { Worker(thread: $0, kind: kind) }
  }

  private static var threads: Set<Int> { numbers(in: "/proc/self/task") }
  private static var processes: Set<Int> { numbers(in: "/proc") }

  private static func numbers(in folder: String) -> Set<Int> {
    Set(((try? FileTree.entries(of: folder)) ?? []).compactMap(Int.init))
  }
}
