import Foundation
import Glibc
import LinuxIOTesting
import Testing

/// What is so of `mqctl bench` whoever moves the frames, however slow the machine: nothing here is timed.
struct BenchChecks {
  let datapath: ServedTap.Datapath

  private var through: [String] { ["bench", "--through", datapath.rawValue] }

  private func run(_ words: String...) throws -> Outcome {
    try Programs.run([Programs.mqctl] + through + words, seconds: 300)
  }

  func everyPairCarriesWhatTheTapCounts() throws {
    let outcome = try run(
      "--pairs", "1,3", "--size", "64,65536", "--direction", "tx,rx,both", "--seconds", "0.2", "--json")
    #expect(outcome.code == 0 && outcome.err.isEmpty, "\(outcome)")
    let result = try BenchResult(outcome)
    #expect(result.through == datapath.rawValue)
    result.expectTrue(pairs: [1, 3], sizes: [64, 65535], directions: ["tx", "rx", "both"])
  }

  /// Words for people, and a picture.
  func aTableAndAChart() throws {
    let folder = try PublicFolder()
    let chart = "\(folder.path)/bench.svg"
    let outcome = try run("--pairs", "1,2", "--size", "1500", "--seconds", "0.1", "--chart", chart)
    #expect(outcome.code == 0 && outcome.err.isEmpty, "\(outcome)")
    let lines = outcome.out.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(lines.first?.starts(with: ["through", "\(datapath.rawValue),", "Linux"]) == true, "\(outcome)")
    #expect(lines.contains { $0.starts(with: ["PAIRS", "BYTES", "DIR", "PAIR", "TX/S"]) }, "\(outcome)")
    for row in ["1 1500 tx 0", "1 1500 rx 0", "2 1500 tx all", "2 1500 rx all"] {
      #expect(lines.contains { $0.prefix(4).joined(separator: " ") == row }, "no \(row) in \(outcome)")
    }
    let picture = try String(contentsOfFile: chart, encoding: .utf8)
    #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n"))
    #expect(picture.contains("1500 B tx") && picture.contains("1500 B rx"))
  }

  /// A stranger's socket: no tap of ours, so nothing is said of one; frames are counted as the back end takes them.
  func throughASocket() async throws {
    let datapath = datapath
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 2)
      let outcome = try mqctl(
        "bench", "--through", served.socket, "--pairs", "1,2", "--size", "64,65536", "--seconds", "0.2", "--json",
        seconds: 200)
      #expect(outcome.code == 0, "\(outcome)")
      let result = try BenchResult(outcome)
      #expect(result.through == served.socket && result.measurements.count == 4, "\(outcome)")
      for one in result.measurements {
        #expect(one.direction == "tx" && one.tap == nil && one.total.latency == nil, "\(one)")
        for flow in one.flows { #expect(flow.transmittedPerSecond > 0 && flow.receivedPerSecond == 0, "\(one)") }
      }
      let refused = try mqctl("bench", "--through", served.socket, "--pairs", "3", exits: 5)
      refused.expectOneError(saying: served.socket, "3 queue pairs")
      try served.expectIdle()
      _ = try served.end()
    }
  }

  // MARK: Nothing stays behind

  private func start() throws -> RunningBench {
    try RunningBench(through + ["--size", "64", "--seconds", "600", "--pairs", "2"], pairs: 2)
  }

  func whateverEndsItNothingStaysBehind(_ signal: CInt) throws {
    let bench = try start()
    bench.process.kill(signal)
    let outcome = try bench.process.wait()
    #expect(outcome.code == 128 + signal, "\(outcome)")
    try bench.expectGone()
  }

  func aServerThatIsKilled() throws {
    let bench = try start()
    kill(pid_t(try bench.servePID()), SIGKILL)
    let outcome = try bench.process.wait()
    #expect(outcome.code == 1, "\(outcome)")
    outcome.expectOneError(saying: "mqctl serve has ended by signal 9")
    try bench.expectGone()
  }

  func aGeneratorThatIsKilled() throws {
    let bench = try start()
    let serve = try bench.servePID()
    kill(pid_t(try #require(bench.children.last { $0 != serve })), SIGKILL)
    let outcome = try bench.process.wait()
    #expect(outcome.code == 1, "\(outcome)")
    outcome.expectOneError(saying: "load generator has ended: signal 9")
    try bench.expectGone()
  }
}
