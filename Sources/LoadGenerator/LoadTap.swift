internal import LinuxIO
internal import Orchestrator
internal import SystemPackage
internal import TapMQ

/// A tap of the load's own, in a network namespace of its own: it goes with the last process in it.
internal struct LoadTap {
  /// Its name there.
  static let name = "bench0"

  private let index: Int
  /// Its address.
  let mac: [UInt8]

  /// The tap, which is up, persistent and has its IP address. One of that name is replaced.
  init(pairs: Int) throws(LoadError) {
    do throws(OrchestratorError) {
      let provisioner = try Self.provisioner()
      guard let name = try? InterfaceName(Self.name),
        let address = try? InterfaceAddress(LoadFrame.hostAddress.map(String.init).joined(separator: ".") + "/15"),
        let spec = try? DeviceSpec(name: name, pairs: pairs, owner: 0, addresses: [address])
      else { fatalError("the load's tap is well named") }
      _ = try provisioner.delete(name, force: true)
      _ = try provisioner.create(spec)
      guard let device = try provisioner.device(named: name), let mac = device.link.mac else {
        throw OrchestratorError.absent(kind: "tap", name: Self.name)
      }
      index = device.link.index
      self.mac = mac.bytes
    } catch {
      throw .orchestrator(error)
    }
  }

  /// Waits until the kernel has noticed that the back end has opened its queues.
  func awaitCarrier() throws(LoadError) {
    let deadline = ContinuousClock.now + .seconds(5)
    do throws(OrchestratorError) {
      let provisioner = try Self.provisioner()
      guard let name = try? InterfaceName(Self.name) else { return }
      while try provisioner.device(named: name)?.link.isOperational != true {
        guard ContinuousClock.now < deadline else { throw OrchestratorError.notOperational(Self.name) }
        _ = try? LinuxKernel().poll([], milliseconds: 2)
      }
    } catch {
      throw .orchestrator(error)
    }
  }

  /// Tells the namespace where a guest is, so that nobody is asked by ARP.
  func introduce(_ frame: LoadFrame) throws(Errno) {
    try NeighbourTable.set(frame.guestAddress, to: frame.guestMAC, on: Self.name)
  }

  /// Who sends a pair's frames to its guest.
  func sender(_ frame: LoadFrame, size: Int) throws(Errno) -> PacketSender {
    // Without the last field, num_buffers, which is for the guest.
    let header = LoadFrame.header(size: size).prefix(10)
    return try PacketSender(
      interfaceIndex: index, bytes: header + frame.bytes(size: size, toGuest: true, destination: []))
  }

  func counters() -> TapCounters? { TapCounters.read(Self.name) }

  private static func provisioner() throws(OrchestratorError) -> Provisioner<LinuxKernel, LinkSession> {
    do {
      return Provisioner(kernel: LinuxKernel(), links: try LinkSession())
    } catch {
      throw .tap(error)
    }
  }
}
