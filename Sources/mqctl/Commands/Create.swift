internal import ArgumentParser
internal import Orchestrator
internal import TapMQ

struct Create: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a persistent multi-queue tap.",
    discussion: """
      The same words again change nothing; other words about an existing tap are refused, with the differences, unless \
      --replace is given. A failure leaves no trace. Needs CAP_NET_ADMIN.
      """)

  @Argument(help: "The tap's name, at most 15 bytes.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @Option(help: .init("How many queue pairs a guest is to have, 1 to 256.", valueName: "n"))
  var pairs: Int

  @OptionGroup var device: DeviceOptions
  @OptionGroup var namespace: NamespaceOptions

  @Flag(help: "Where a different tap has the name and is not in use, put this one in its place.")
  var replace = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let spec = try device.spec(name, pairs: pairs)
    try namespace.enter()
    let provisioner = try openProvisioner()
    let outcome = try Failure.explain(provisioner.create(spec, replace: replace))
    struct Report: Encodable {
      let name: String
      let outcome: String
      let pairs: Int
    }
    Output(json: output.json).report(Report(name: "\(name)", outcome: outcome.rawValue, pairs: pairs)) {
      switch outcome {
      case .created: "\(name): created with \(pairs) queue pair(s)"
      case .unchanged: "\(name): already so"
      case .replaced: "\(name): replaced, now with \(pairs) queue pair(s)"
      }
    }
  }
}
