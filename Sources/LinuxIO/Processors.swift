internal import CLinuxUAPI
public import SystemPackage

/// On which CPUs threads may run and have run (sched(7)).
public enum Processors {
  /// sched_getaffinity(2): the CPUs that a thread may run on, 0 for the calling one.
  public static func allowed(thread: Int = 0) throws(Errno) -> [Int] {
    var mask = [UInt](repeating: 0, count: Int(MQ_CPU_WORDS))
    try check(unsafe mq_get_affinity(CInt(thread), &mask))
    return (0..<mask.count * UInt.bitWidth).filter { mask[$0 / UInt.bitWidth] >> UInt($0 % UInt.bitWidth) & 1 == 1 }
  }

  /// sched_setaffinity(2): a thread, 0 for the calling one, runs on this CPU from now on. Of another user's needs
  /// CAP_SYS_NICE. `EINVAL` for a CPU that is not there or not allowed.
  public static func pin(thread: Int = 0, to cpu: Int) throws(Errno) {
    var mask = [UInt](repeating: 0, count: Int(MQ_CPU_WORDS))
    guard mask.indices.contains(cpu / UInt.bitWidth) else { throw .invalidArgument }
    mask[cpu / UInt.bitWidth] = 1 << UInt(cpu % UInt.bitWidth)
    try check(unsafe mq_set_affinity(CInt(thread), mask))
  }

  /// The CPUs in an order that takes every core once before any core's second thread
  /// (/sys/devices/system/cpu/cpuN/topology/thread_siblings_list).
  public static func coresFirst(_ cpus: [Int]) -> [Int] {
    func rank(_ cpu: Int) -> Int {
      let path = "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"
      guard let list = try? FileTree.text(of: path) else { return 0 }
      let siblings = list.split(separator: ",").flatMap { part -> [Int] in
        let ends = part.split(separator: "-").compactMap { Int($0) }
        guard let first = ends.first, let last = ends.last, first <= last else { return [] }
        return Array(first...last)
      }
      return siblings.filter(cpus.contains).firstIndex(of: cpu) ?? 0
    }
    return cpus.map { (rank($0), $0) }.sorted { $0 < $1 }.map(\.1)
  }
}
