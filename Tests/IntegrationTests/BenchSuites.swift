import Glibc
import LinuxIOTesting
import Testing

/// `mqctl bench` on the kernel's vhost-net.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostBenchTests {
  private let bench = BenchChecks(datapath: .kernel)

  @Test func everyPairCarriesWhatTheTapCounts() throws { try bench.everyPairCarriesWhatTheTapCounts() }
  @Test func aTableAndAChart() throws { try bench.aTableAndAChart() }
  @Test func throughASocket() async throws { try await bench.throughASocket() }
  @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func whateverEndsItNothingStaysBehind(_ signal: CInt) throws {
    try bench.whateverEndsItNothingStaysBehind(signal)
  }
  @Test func aServerThatIsKilled() throws { try bench.aServerThatIsKilled() }
  @Test func aGeneratorThatIsKilled() throws { try bench.aGeneratorThatIsKilled() }

  /// The default says which it took.
  @Test func theKernelIsTheDefault() throws {
    let outcome = try mqctl("bench", "--pairs", "1", "--size", "64", "--direction", "tx", "--seconds", "0.1", "--json")
    #expect(outcome.code == 0, "\(outcome)")
    #expect(try BenchResult(outcome).through == "kernel")
  }
}

/// `mqctl bench` on threads of `mqctl serve`.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunBenchTests {
  private let bench = BenchChecks(datapath: .userspace)

  @Test func everyPairCarriesWhatTheTapCounts() throws { try bench.everyPairCarriesWhatTheTapCounts() }
  @Test func aTableAndAChart() throws { try bench.aTableAndAChart() }
  @Test func throughASocket() async throws { try await bench.throughASocket() }
  @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func whateverEndsItNothingStaysBehind(_ signal: CInt) throws {
    try bench.whateverEndsItNothingStaysBehind(signal)
  }
  @Test func aServerThatIsKilled() throws { try bench.aServerThatIsKilled() }
  @Test func aGeneratorThatIsKilled() throws { try bench.aGeneratorThatIsKilled() }

  /// What one may not ask for is refused before anything is made.
  @Test(arguments: [
    (["--pairs", "0"], "1 to 128"), (["--pairs", "1,129"], "1 to 128"), (["--pairs", "1,"], "commas"),
    (["--pairs", "2,2"], "once"), (["--size", "59"], "60 to 65535"), (["--size", "65537"], "60 to 65535"),
    (["--size", "65535,65536"], "once"), (["--direction", "up"], "tx, rx, both"), (["--direction", "tx,tx"], "once"),
    (["--seconds", "0"], "0.05 to 3600"), (["--through", ""], "socket"),
    (["--through", "/run/a.sock", "--direction", "rx"], "no tap"),
  ])
  func wordsThatMeanNothing(_ words: [String], _ says: String) throws {
    let outcome = try Programs.run([Programs.mqctl, "bench"] + words)
    #expect(outcome.code == 2, "\(words): \(outcome)")
    outcome.expectOneError(saying: says)
  }

  @Test func aSocketThatIsNotThere() throws {
    let outcome = try mqctl("bench", "--through", "/nowhere/bench.sock", exits: 1)
    outcome.expectOneError(saying: "/nowhere/bench.sock", "start the back end first")
  }

  @Test func aChartThatCannotBeWritten() throws {
    let outcome = try mqctl(
      "bench", "--through", "userspace", "--pairs", "1", "--size", "64", "--direction", "tx", "--seconds", "0.05",
      "--chart", "/nowhere/bench.svg", exits: 1)
    outcome.expectOneError(saying: "/nowhere/bench.svg")
  }

  /// Without vhost-net the kernel's way is refused with its mend, and the default says that it took the other.
  @Test(.enabled(if: !VhostMachine.isAvailable, "this machine has /dev/vhost-net")) func withoutVhostNet() throws {
    let refused = try mqctl("bench", "--through", "kernel", exits: 5)
    refused.expectOneError(saying: "/dev/vhost-net", "--through userspace")
    let outcome = try mqctl("bench", "--pairs", "1", "--size", "64", "--direction", "tx", "--seconds", "0.1", "--json")
    #expect(outcome.code == 0, "\(outcome)")
    #expect(try BenchResult(outcome).through == "userspace")
  }

  @Test func withoutThePrivilege() throws {
    let outcome = try Programs.run(
      ["setpriv", "--reuid", "65534", "--clear-groups", Programs.mqctl, "bench", "--through", "userspace"])
    #expect(outcome.code == 4, "\(outcome)")
    outcome.expectOneError(saying: "network namespace", "run as root")
  }
}
