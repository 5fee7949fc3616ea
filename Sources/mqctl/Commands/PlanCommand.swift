internal import ArgumentParser
internal import Glibc
internal import Orchestrator
internal import Provisioning

struct PlanCommand: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show what 'mqctl apply' would do.",
    discussion: """
      A line for each tap that is not as the files say: + would be made, ~ changed, - removed. Changes nothing and needs no \
      privilege. Exit code 0 if there is nothing to do, 10 if there is.
      """)

  @OptionGroup var manifest: ManifestOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let files = try manifest.read()
    try namespace.enter()
    let scopes = try Scope.all(of: files)
    for scope in scopes { try scope.plan(prune: manifest.prune) }
    let steps = scopes.flatMap { scope in scope.steps.map { StepReport($0, in: scope.namespace) } }
    struct Report: Encodable {
      let steps: [StepReport]
      let unchanged: Int
    }
    let unchanged = scopes.reduce(0) { $0 + $1.unchanged }
    Output(json: output.json).report(Report(steps: steps, unchanged: unchanged)) {
      steps.isEmpty ? "nothing to do: \(unchanged) as wanted" : steps.map(\.text).joined(separator: "\n")
    }
    if !steps.isEmpty { throw ExitCode(10) }
  }
}
