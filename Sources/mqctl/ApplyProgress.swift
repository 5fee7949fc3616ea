internal import Glibc
internal import LinuxIO
internal import Orchestrator
internal import SystemPackage

/// What `apply` says while it works: a bar on a terminal, a line a device anywhere else.
struct ApplyProgress {
  /// From this many on a person wants to see how far it is.
  private static let many = 20
  private static let width = 30

  private let json: Bool
  private let total: Int
  private let showsBar: Bool
  private let showsLines: Bool
  private var done = 0
  private var counts: [Plan.Outcome: Int] = [:]
  private var drawn = ContinuousClock.now - .seconds(1)

  init(_ output: OutputOptions, of total: Int) {
    json = output.json
    self.total = total
    showsBar = !output.json && total > Self.many && isatty(STDERR_FILENO) == 1
    showsLines = !(showsBar && isatty(STDOUT_FILENO) == 1)
  }

  mutating func report(_ step: Plan.Step, _ outcome: Plan.Outcome, in namespace: String?) {
    done += 1
    counts[outcome, default: 0] += 1
    if showsLines {
      let line = StepReport(step, in: namespace, outcome: outcome)
      Output.print(json ? Output.encode(line) : line.text)
    }
    guard showsBar, ContinuousClock.now - drawn > .milliseconds(50) else { return }
    drawn = .now
    let filled = done * Self.width / total
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
    // One that goes on in the next line could not be taken back.
    Output.draw("\r\("[\(bar)] \(done) of \(total)  \(step.name)".prefix(Self.columns - 1))\u{1B}[K")
  }

  /// How wide the terminal is just now.
  private static var columns: Int {
    // struct winsize of <asm-generic/termios.h>: rows, columns, and the same in dots.
    var size: SIMD4<UInt16> = .zero
    _ = try? LinuxKernel().ioctl(.standardError, IoctlRequest("TIOCGWINSZ", UInt(TIOCGWINSZ)), updating: &size)
    return size[1] > 0 ? Int(size[1]) : 80
  }

  /// Takes the bar away.
  func clear() {
    if showsBar { Output.draw("\r\u{1B}[K") }
  }

  func finish(unchanged: Int) {
    clear()
    struct Sums: Encodable {
      var event = "done"
      let created: Int
      let changed: Int
      let replaced: Int
      let removed: Int
      let unchanged: Int
    }
    let sums = Sums(
      created: counts[.created] ?? 0, changed: counts[.changed] ?? 0, replaced: counts[.replaced] ?? 0,
      removed: counts[.removed] ?? 0, unchanged: unchanged + (counts[.unchanged] ?? 0))
    Output(json: json).report(sums) {
      let parts = [
        (sums.created, "created"), (sums.changed, "changed"), (sums.replaced, "replaced"), (sums.removed, "removed"),
        (sums.unchanged, "as wanted"),
      ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
      return parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ")
    }
  }
}

/// A step as `plan` and `apply` print it.
struct StepReport: Encodable {
  struct Difference: Encodable {
    let field: String
    let existing: String
    let wanted: String
  }

  let event: String
  let name: String
  let netns: String?
  let differences: [Difference]?
  private let sign: String
  private let words: String

  private enum CodingKeys: CodingKey {
    case event, name, netns, differences
  }

  /// Without an outcome it is still to be done.
  init(_ step: Plan.Step, in namespace: String?, outcome: Plan.Outcome? = nil) {
    name = step.name
    netns = namespace
    switch step {
    case .create(let spec):
      sign = "+"
      event = outcome?.rawValue ?? "create"
      differences = nil
      words = "\(spec.pairs) queue pair(s)"
    case .change(_, to: _, let found, let replaces):
      sign = "~"
      event = outcome?.rawValue ?? (replaces ? "replace" : "change")
      differences = found.map { Difference(field: $0.field, existing: $0.existing, wanted: $0.wanted) }
      let list = found.map(\.description).joined(separator: "; ")
      words = replaces ? "\(list) (to be replaced)" : list
    case .remove:
      sign = "-"
      event = outcome?.rawValue ?? "remove"
      differences = nil
      words = "no file names it"
    }
  }

  /// Such as `~ tap0: mtu is 1500, asked for 9000`.
  var text: String { "\(sign) \(name)\(netns.map { " in \($0)" } ?? ""): \(words)" }
}
