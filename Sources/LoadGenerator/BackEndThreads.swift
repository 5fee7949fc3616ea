internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import VhostKernel

/// The threads of a back end, those of the kernel that work for it among them.
internal enum BackEndThreads {
  /// Which thread works for which pair; empty where that cannot be told.
  static func workers(of process: Int, pairs: Int) -> [Int] {
    let vhost = Worker.all(of: process).map(\.thread).sorted()
    // Made in the order of the pairs.
    if vhost.count >= pairs { return Array(vhost.prefix(pairs)) }
    let own = ThreadUse.all(of: process).map(\.thread).filter { $0 != process }
    return own.count == pairs ? own : []
  }

  static func all(of process: Int) -> [ThreadUse] {
    let kernel = Worker.all(of: process).filter { $0.kind == .kthread }.map(\.thread)
    return ThreadUse.all(of: process) + kernel.compactMap { ThreadUse(process: $0, thread: $0) }
  }

  /// Says where everybody runs, and pins workers that are ours.
  static func place(_ workers: [Int], pairs: Int, of process: Int?, isOurs: Bool) -> Placement {
    let allowed = (try? Processors.allowed()) ?? []
    let cpus = Processors.coresFirst(allowed.isEmpty ? [0] : allowed)
    guard isOurs else {
      let busy = process.map { ThreadUse.all(of: $0).filter(\.isRunning).map(\.cpu) } ?? []
      return Placement(pairs: pairs, cpus: cpus, beside: Set(busy))
    }
    let placement = Placement(pairs: pairs, cpus: cpus)
    for (pair, worker) in workers.enumerated() { try? Processors.pin(thread: worker, to: placement.workers[pair]) }
    return placement
  }
}
