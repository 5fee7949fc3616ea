internal import LinuxIO
internal import SystemPackage

/// How long a thread has run, and where (/proc/PID/task/TID).
internal struct ThreadUse: Sendable {
  let thread: Int
  let nanoseconds: Int
  /// How long it has waited for a CPU.
  let waited: Int
  /// The CPU that it last ran on.
  let cpu: Int
  /// Whether it runs, or would if it had a CPU.
  let isRunning: Bool

  /// Nil if there is no such thread.
  init?(process: Int, thread: Int) {
    let folder = "/proc/\(process)/task/\(thread)"
    // Behind the name, which may hold anything: state is field 3, utime and stime 14 and 15, processor 39 (proc(5)).
    guard let text = try? FileTree.text(of: "\(folder)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 36, let cpu = Int(fields[36]), let user = Int(fields[11]), let system = Int(fields[12])
    else { return nil }
    self.thread = thread
    self.cpu = cpu
    isRunning = fields[0] == "R"
    // In nanoseconds, where the kernel keeps them; else in hundredths of a second.
    let exact = (try? FileTree.text(of: "\(folder)/schedstat"))?.split(separator: " ").compactMap { Int($0) } ?? []
    nanoseconds = exact.first ?? (user + system) * 10_000_000
    waited = exact.count > 1 ? exact[1] : 0
  }

  /// Every thread of a process, in the order of their numbers.
  static func all(of process: Int) -> [ThreadUse] {
    ((try? FileTree.entries(of: "/proc/\(process)/task")) ?? []).compactMap { Int($0) }.sorted()
      .compactMap { ThreadUse(process: process, thread: $0) }
  }
}
