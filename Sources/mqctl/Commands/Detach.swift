internal import ArgumentParser
internal import Hypervisor
internal import LinuxIO
internal import Orchestrator
internal import TapMQ

struct Detach: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "detach",
    abstract: "Unplug what 'mqctl attach' plugged in.",
    discussion: """
      Asks the guest to let the device go, waits until it has, and removes what the device was on. A guest that does not \
      within --timeout keeps it. The tap itself stays, and need not be there any more. What is not attached is detached \
      already.

        mqctl detach tap0 --qmp /run/vm/qmp.sock
      """)

  @Argument(help: "The tap's name.", transform: { try InterfaceName($0) })
  var name: InterfaceName

  @OptionGroup var hypervisor: HypervisorOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let id = hypervisor.identifier(for: name)
    var wasThere = false
    do throws(HypervisorError) {
      if let socket = hypervisor.qmp {
        var qemu = try QmpSession.connect(to: socket, seconds: hypervisor.timeout)
        wasThere = try qemu.detach(QemuAttachment(interface: name, identifier: id, kind: .tap))
      } else if let socket = hypervisor.cloudHypervisor {
        let api = CloudHypervisor(socket: socket, seconds: hypervisor.timeout)
        wasThere = try api.machine().machine.deviceIdentifiers.contains(id)
        if wasThere { try api.remove(id) }
      }
    } catch {
      throw Failure(error)
    }
    let report = AttachmentReport(
      name: name.description, id: id, hypervisor: hypervisor.qmp == nil ? "cloud-hypervisor" : "qemu",
      outcome: wasThere ? "detached" : "absent")
    Output(json: output.json).report(report) {
      wasThere ? "\(name): detached" : "\(name): was not attached as \(id)"
    }
  }
}
