internal import ArgumentParser
internal import Orchestrator
internal import Provisioning
internal import TapMQ

struct Export: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the file for 'mqctl apply' that describes what there is.",
    discussion: """
      YAML on standard output, or with --json the same as JSON, which 'apply' reads as well: applying it changes nothing. \
      It has the persistent taps that mqctl made; others are nothing to 'apply'.

        mqctl export > devices.yaml
      """)

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    var devices: [(spec: DeviceSpec, serve: ServeSpec?)] = []
    for device in try Failure.explain(provisioner.devices()) where device.record != nil && device.tun.persistent {
      do throws(DeviceSpec.Invalid) {
        devices.append((try DeviceSpec(restoring: device), nil))
      } catch {
        throw Failure(
          .conflict, "no file says what \(device.link.name) is: \(error)",
          mend: "change it back, or make it anew with 'mqctl create \(device.link.name) --pairs N --replace'")
      }
    }
    let manifest = Manifest.export(devices, namespace: namespace.namespace)
    if output.json { Output.print(Output.encode(manifest)) } else { Output.print(String(manifest.yaml.dropLast())) }
  }
}
