internal import ArgumentParser
internal import Orchestrator

struct List: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the taps of a network namespace.",
    discussion: """
      PAIRS is what mqctl was asked for ('-' for a tap that it did not make), QUEUES what is attached now (and '+N' that \
      are open and detached). SERVED AT is the socket of 'mqctl serve', with a '+' if a front end is connected.
      """)

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    let table = HolderTable()
    let devices = try Failure.explain(provisioner.devices()).map { DeviceReport($0, table) }
    Output(json: output.json).report(["devices": devices]) {
      Output.table(
        ["NAME", "PAIRS", "QUEUES", "STATE", "CARRIER", "MTU", "MAC", "BRIDGE", "QDISC", "SERVED AT", "HELD BY"],
        devices.map { device in
          [
            device.name, device.pairs.map(String.init) ?? "-",
            "\(device.attachedQueues)" + (device.detachedQueues > 0 ? "+\(device.detachedQueues)" : ""),
            device.up ? "up" : "down", device.carrier ? "yes" : "no", "\(device.mtu)", device.mac ?? "-",
            device.bridge ?? "-", device.qdisc ?? "-", device.servedText, device.holderText,
          ]
        })
    }
  }
}
