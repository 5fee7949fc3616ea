internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import TapMQ
internal import VhostKernel

struct Doctor: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what this machine can and cannot do, and how to mend it.",
    discussion: """
      Looks at the device nodes, at vhost's features and workers, at tun's flags and offloads (on a tap of its own, \
      which ends with the look), at capabilities, and at the limits that N pairs need. Exits 5 if a multi-queue tap \
      cannot be made because the kernel lacks it, 4 if it is not permitted, else 0: vhost-net is good to have, not needed.
      """)

  @Option(help: .init("For how many pairs the limits are to suffice.", valueName: "n"))
  var pairs = 8

  @OptionGroup var output: OutputOptions

  func validate() throws {
    try checkPairs(pairs)
  }

  func run() throws {
    let examination = Examination(pairs: pairs)
    struct Report: Encodable {
      let pairs: Int
      let findings: [Examination.Finding]
    }
    Output(json: output.json).report(Report(pairs: pairs, findings: examination.findings)) {
      Output.table(
        ["", "WHAT", "FOUND"],
        examination.findings.map { finding in
          [finding.state.rawValue, finding.what, finding.found + (finding.mend.map { "; \($0)" } ?? "")]
        })
    }
    if let code = examination.worst {
      throw Failure(code, "no multi-queue tap can be made here", mend: "see the lines marked 'no'")
    }
  }
}
