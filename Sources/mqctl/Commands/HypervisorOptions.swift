internal import ArgumentParser
internal import Hypervisor
internal import LinuxIO
internal import Orchestrator
internal import TapMQ

/// `--qmp`, `--cloud-hypervisor`, `--id`, `--timeout`: whom `attach` and `detach` speak to.
struct HypervisorOptions: ParsableArguments {
  @Option(help: .init("QEMU's QMP socket ('-qmp unix:PATH,server=on,wait=off').", valueName: "socket"))
  var qmp: String?

  @Option(help: .init("Cloud Hypervisor's API socket ('--api-socket PATH').", valueName: "socket"))
  var cloudHypervisor: String?

  @Option(help: .init("The device's id in the hypervisor. Default: the tap's name.", valueName: "id"))
  var id: String?

  @Option(help: .init("How long one answer may take, and the guest to give a device back.", valueName: "seconds"))
  var timeout = 10

  func validate() throws {
    guard (qmp == nil) != (cloudHypervisor == nil) else {
      throw ValidationError("say which hypervisor: --qmp SOCKET or --cloud-hypervisor SOCKET")
    }
    guard (1...3600).contains(timeout) else { throw ValidationError("--timeout \(timeout): 1 to 3600 seconds") }
    if let id, id != QemuWords.identifier(for: id) || id.utf8.count > 64 {
      throw ValidationError("--id '\(id)': begin with a letter, then letters, digits, '-', '.' and '_'")
    }
  }

  func identifier(for name: InterfaceName) -> String { id ?? QemuWords.identifier(for: name.description) }
}

/// What `attach` and `detach` print.
struct AttachmentReport: Encodable {
  let name: String
  let id: String
  let hypervisor: String
  var outcome: String
  var pairs: Int?
  var vhost: Bool?
  var socket: String?
}
