internal import ArgumentParser
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
    try CreateRequest(
      name: name, pairs: pairs, device: device.words, namespace: namespace.namespace, replace: replace,
      json: output.json
    ).carryOut()
  }
}
