internal import BasicContainers
internal import LinuxIO
internal import Orchestrator
internal import TapMQ

/// `taps TAPS PAIRS ROUNDS noqueue|default`: makes that many taps by the library in the network namespace that it was started
/// in, opens their queues and keeps them, deletes the taps, closes the queues. c/taps.c is the same in C; both print a line a
/// round: microseconds for making and opening, deleting, closing, then the kernel's slab memory a tap, in KiB.
///
/// Where there is more than one round the first warms up and is not printed.
@main
struct Taps {
  static func main() throws {
    let words = CommandLine.arguments
    guard words.count == 5, let taps = Int(words[1]), let pairs = Int(words[2]), let rounds = Int(words[3]),
      let qdisc = DeviceSpec.Qdisc(rawValue: words[4])
    else { fatalError("usage: taps TAPS PAIRS ROUNDS noqueue|default") }
    let specs = try (0..<taps).map { number in
      try DeviceSpec(name: InterfaceName("b\(number)"), pairs: pairs, qdisc: qdisc)
    }
    let provisioner = Provisioner(kernel: LinuxKernel(), links: try LinkSession())
    for round in 0..<rounds {
      let line = try measure(specs, through: provisioner)
      if round > 0 || rounds == 1 { print(line) }
    }
  }

  private static func measure(
    _ specs: [DeviceSpec], through provisioner: borrowing Provisioner<LinuxKernel, LinkSession>
  ) throws -> String {
    let slabBefore = slab()
    var sets = UniqueArray<PairSet<LinuxKernel>>()
    sets.reserveCapacity(specs.count)
    let clock = ContinuousClock()
    let start = clock.now
    for spec in specs {
      let outcome = try provisioner.create(spec)
      precondition(outcome == .created)
      sets.append(try PairSet.open(spec.name, vhost: .off, through: provisioner))
    }
    let created = clock.now
    let slabAfter = slab()
    let deleting = clock.now
    for spec in specs {
      let wasThere = try provisioner.delete(spec.name, force: true)
      precondition(wasThere)
    }
    let deleted = clock.now
    sets.removeAll()
    let closed = clock.now
    let memory = (slabAfter - slabBefore) / specs.count
    return [created - start, deleted - deleting, closed - deleted].map { "\(microseconds($0))" }.joined(separator: "\t")
      + "\t\(memory)"
  }

  private static func microseconds(_ duration: Duration) -> Int {
    let (seconds, attoseconds) = duration.components
    return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
  }

  /// The line `Slab:` of /proc/meminfo, in KiB.
  private static func slab() -> Int {
    guard let text = try? FileTree.text(of: "/proc/meminfo"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Slab:") }),
      let number = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { fatalError("/proc/meminfo has no Slab") }
    return number
  }
}
