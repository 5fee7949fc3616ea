import Foundation
import LinuxIO
import Orchestrator
import TapMQ
import Testing

/// A tap with `mqctl serve` on it, in the namespace of the calling thread.
final class ServedTap {
  let process: RunningProcess
  let socket: String
  let index: Int
  private let folder = try? PublicFolder()

  /// Descriptors of the serving process while nobody is connected.
  private(set) var idleDescriptors: [Int: String] = [:]

  /// Starts it, and waits until it listens.
  init(pairs: Int, _ options: String...) throws {
    let name = try InterfaceName("tap0")
    try TapFixture.make(DeviceSpec(name: name, pairs: pairs))
    socket = try #require(folder).path + "/tap0.sock"
    if options.contains("--user") {
      // Who serves must be able to remove the socket in the end.
      try FileManager.default.setAttributes(
        [.ownerAccountID: 65534], ofItemAtPath: try #require(folder).path)
    }
    process = try RunningProcess([Programs.mqctl, "serve", "tap0", "--socket", socket] + options)
    try process.waitForErrors("pair(s) at")
    let links = try LinkSession()
    index = try #require(try links.link(named: name)).index
    try TapFixture.awaitOperation(of: name, links)
    idleDescriptors = try openDescriptors(of: pid)
  }

  var pid: Int { Int(process.processID) }

  /// Mappings of the serving process that are a guest's memory.
  func guestMappings() throws -> [String] {
    try FileTree.text(of: "/proc/\(pid)/maps", limit: 1 << 20).split(separator: "\n").map(String.init)
      .filter { $0.contains("memfd:") }
  }

  /// Waits until nothing of a connection is left: descriptors, mappings, workers, attached queues; but the tap has its
  /// carrier.
  func expectIdle(at location: SourceLocation = #_sourceLocation) throws {
    var left = ""
    let isIdle = try eventually(seconds: 30) {
      let descriptors = try openDescriptors(of: pid)
      let workers = Worker.all(of: pid)
      let mappings = try guestMappings()
      left = "descriptors \(descriptors), were \(idleDescriptors); workers \(workers); mappings \(mappings)"
      return descriptors == idleDescriptors && workers.isEmpty && mappings.isEmpty
    }
    #expect(isIdle, "\(left)", sourceLocation: location)
    let device = try ShownDevice.named("tap0", at: location)
    #expect(device.attachedQueues == 0 && device.carrier, "\(device)", sourceLocation: location)
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
