import Foundation
import LinuxIO
import Orchestrator
import TapMQ
import Testing

/// A tap with `mqctl serve` on it, in the namespace of the calling thread.
final class ServedTap {
  let process: RunningProcess
  let socket: String
  let name: String
  let index: Int
  private let keepsCarrier: Bool
  private let folder: PublicFolder

  /// Descriptors of the serving process while nobody is connected.
  private(set) var idleDescriptors: [Int: String] = [:]
  private var idleThreads: Set<String> = []

  /// Who is to move the frames.
  enum Datapath: String { case kernel, userspace }

  private let datapath: Datapath

  /// Starts it, and waits until it listens.
  convenience init(_ datapath: Datapath, pairs: Int, _ options: String...) throws {
    try self.init(datapath, "tap0", pairs: pairs, options: options)
  }

  /// Likewise, with a name of its own and perhaps in a bridge.
  init(_ datapath: Datapath, _ name: String, pairs: Int, bridge: String? = nil, options: [String]) throws {
    self.datapath = datapath
    self.name = name
    let tap = try InterfaceName(name)
    try TapFixture.make(DeviceSpec(name: tap, pairs: pairs, bridge: bridge.map { try InterfaceName($0) }))
    folder = try PublicFolder()
    socket = "\(folder.path)/\(name).sock"
    if options.contains("--user") {
      // Who serves must be able to remove the socket in the end.
      try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: folder.path)
    }
    keepsCarrier = options.contains("--keep-carrier")
    process = try RunningProcess(
      [Programs.mqctl, "serve", name, "--socket", socket, "--datapath", datapath.rawValue] + options)
    try process.waitForErrors("pair(s) at")
    index = try #require(try LinkSession().link(named: tap)).index
    idleDescriptors = try openDescriptors(of: pid)
    idleThreads = Set(try FileTree.entries(of: "/proc/\(pid)/task"))
  }

  /// Checks that there is a thread for each pair, and by whom it is.
  func expectThreads(_ pairs: Int, at location: SourceLocation = #_sourceLocation) throws {
    switch datapath {
    case .kernel:
      let workers = Worker.all(of: pid)
      #expect(
        workers.count == pairs && workers.allSatisfy { $0.kind == VhostMachine.nativeKind }, "\(workers)",
        sourceLocation: location)
    case .userspace:
      let names = try FileTree.entries(of: "/proc/\(pid)/task").map {
        try FileTree.text(of: "/proc/\(pid)/task/\($0)/comm")
      }
      let wanted = (0..<pairs).map { "pair \($0)" }
      #expect(Set(names).isSuperset(of: wanted) && names.count == pairs + 1, "\(names)", sourceLocation: location)
      let open = try openDescriptors(of: pid).values
      #expect(!open.contains("/dev/vhost-net") && Worker.all(of: pid).isEmpty, sourceLocation: location)
    }
  }

  var pid: Int { Int(process.processID) }

  /// A name for another socket, beside the served one.
  func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  /// Mappings of the serving process that are a guest's memory.
  func guestMappings() throws -> [String] {
    try FileTree.text(of: "/proc/\(pid)/maps", limit: 1 << 20).split(separator: "\n").map(String.init)
      .filter { $0.contains("memfd:") }
  }

  /// Waits until nothing of a connection is left: descriptors, mappings, workers, attached queues, the carrier unless it is
  /// to be kept.
  func expectIdle(at location: SourceLocation = #_sourceLocation) throws {
    var left = ""
    let isIdle = try eventually(seconds: 30) {
      let descriptors = try openDescriptors(of: pid)
      let workers = Worker.all(of: pid)
      let mappings = try guestMappings()
      left = "descriptors \(descriptors), were \(idleDescriptors); workers \(workers); mappings \(mappings)"
      let threads = Set(try FileTree.entries(of: "/proc/\(pid)/task"))
      return descriptors == idleDescriptors && threads == idleThreads && workers.isEmpty && mappings.isEmpty
    }
    #expect(isIdle, "\(left)", sourceLocation: location)
    let device = try ShownDevice.named(name, at: location)
    #expect(device.attachedQueues == 0 && device.carrier == keepsCarrier, "\(device)", sourceLocation: location)
  }

  /// Without any right, and with few system calls: from before the first byte of a front end on.
  func expectConfined(at location: SourceLocation = #_sourceLocation) throws {
    let status = try processStatus(pid)
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
      #expect(status[set] == ExecProbe.noCapability, "\(set) \(status[set] ?? "?")", sourceLocation: location)
    }
    // SECCOMP_MODE_FILTER.
    #expect(status["NoNewPrivs"] == "1" && status["Seccomp"] == "2", "\(status)", sourceLocation: location)
  }

  /// SIGTERM: it must end by itself, in order.
  func end(at location: SourceLocation = #_sourceLocation) throws -> Outcome {
    process.kill(15)
    let outcome = try process.wait()
    #expect(outcome.code == 0, "\(outcome)", sourceLocation: location)
    #expect(!FileManager.default.fileExists(atPath: socket), sourceLocation: location)
    return outcome
  }
}
