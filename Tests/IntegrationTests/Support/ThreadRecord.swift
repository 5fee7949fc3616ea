import LinuxIO

/// How often a thread has run so far, and for how long: the same at two times if it did not run in between.
struct ThreadRecord: Equatable, CustomStringConvertible {
  /// The `ctxt_switches` lines of /proc/PID/task/TID/status.
  let switches: [String]
  /// /proc/PID/task/TID/schedstat: nanoseconds on a processor, nanoseconds of waiting for one, how many times it got one.
  let schedule: String
  /// `State:` of the same status.
  let state: String

  /// Looks now.
  init(process: Int, thread: Int) throws {
    let folder = "/proc/\(process)/task/\(thread)"
    let lines = try FileTree.text(of: "\(folder)/status").split(separator: "\n").map(String.init)
    switches = lines.filter { $0.contains("ctxt_switches:") }
    state = lines.first { $0.hasPrefix("State:") } ?? ""
    schedule = try FileTree.text(of: "\(folder)/schedstat")
  }

  /// Of a thread that sleeps: two looks a moment apart were the same.
  static func ofSleeping(process: Int, thread: Int) throws -> ThreadRecord? {
    var last = try ThreadRecord(process: process, thread: thread)
    let sleeps = try eventually {
      let before = last
      last = try ThreadRecord(process: process, thread: thread)
      return last == before && last.state.contains("sleeping")
    }
    return sleeps ? last : nil
  }

  var description: String { (switches + [schedule, state]).joined(separator: " ") }
}
