internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import Provisioning
internal import TapMQ

struct Export: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the file for 'mqctl apply' that describes what there is.",
    discussion: """
      YAML on standard output, or with --json the same as JSON, which 'apply' reads as well: applying it changes nothing. \
      It has the persistent taps that mqctl made; others are nothing to 'apply'. How a tap is served is in it while \
      'mqctl serve' runs (seen with CAP_SYS_PTRACE).

        mqctl export > devices.yaml
      """)

  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try namespace.enter()
    let provisioner = try openProvisioner()
    let holders = HolderTable()
    var devices: [(spec: DeviceSpec, serve: ServeSpec?)] = []
    for device in try Failure.explain(provisioner.devices()) where device.record != nil && device.tun.persistent {
      do throws(DeviceSpec.Invalid) {
        devices.append((try DeviceSpec(restoring: device), Self.server(of: device, holders)))
      } catch {
        throw Failure(
          .conflict, "no file says what \(device.link.name) is: \(error)",
          mend: "change it back, or make it anew with 'mqctl create \(device.link.name) --pairs N --replace'")
      }
    }
    let manifest = Manifest.export(devices, namespace: namespace.namespace)
    if output.json { Output.print(Output.encode(manifest)) } else { Output.print(String(manifest.yaml.dropLast())) }
  }

  /// What an `mqctl serve` that has the tap was told, by what it does.
  private static func server(of device: Device, _ holders: HolderTable) -> ServeSpec? {
    guard device.openQueues > 0, let pairs = device.record?.pairs else { return nil }
    for holder in holders.holders(of: device.link.name) {
      guard let place = holder.served?.path, let access = try? FileTree.socketAccess(of: place) else { continue }
      let served = holder.attachedQueues + holder.detachedQueues
      return ServeSpec(
        socket: place, pairs: served == pairs ? nil : served, user: access.owner == 0 ? nil : String(access.owner),
        socketMode: access.mode == 0o600 ? nil : String(access.mode, radix: 8),
        socketGroup: access.group == 0 ? nil : String(access.group),
        datapath: holder.vhostDescriptors == 0 ? .userspace : nil)
    }
    return nil
  }
}
