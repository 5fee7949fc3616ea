import LinuxIO
import Testing

/// A QEMU that has nothing but a vhost-user socket, as nobody, and the console of its guest.
final class VhostUserGuest {
  typealias Line = ReportReader.Line

  static let mac: [UInt8] = [0x52, 0x54, 0, 0x77, 0, 1]

  let process: RunningProcess
  private let report: ReportReader
  private let pairs: Int
  private let seconds: Double

  /// Starts it.
  ///
  /// - Parameters:
  ///   - words: of QEMU's, without the network.
  ///   - properties: of the network device, beside the usual ones.
  ///   - seconds: how long anything of it may take.
  init(
    _ words: [String], pairs: Int, on served: ServedTap, properties: [String] = [], also more: [String] = [],
    seconds: Double
  ) throws {
    let become = """
      import os, sys
      os.setgroups([]); os.setgid(65534); os.setuid(65534)
      os.execvp(sys.argv[1], sys.argv[1:])
      """
    let mac = Self.mac.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    // QEMU 7.2 without KVM ends by a signal when a vhost-user device uses MSI-X.
    let device = ["virtio-net-pci", "netdev=n0", "mq=\(pairs > 1 ? "on" : "off")", "vectors=0", "mac=\(mac)"]
    process = try RunningProcess(
      [Programs.python, "-I", "-c", become] + words + [
        "-chardev", "socket,id=c0,path=\(served.socket)",
        "-netdev", "vhost-user,id=n0,chardev=c0,queues=\(pairs)",
        "-device", (device + properties).joined(separator: ","),
      ] + more)
    report = ReportReader(process, mark: "MQGUEST")
    self.pairs = pairs
    self.seconds = seconds
  }

  /// Waits for the report of a boot and checks it: all pairs are there, and each has carried its pings.
  func boot(at location: SourceLocation = #_sourceLocation) throws {
    let lines = try report.lines(upTo: "hold", seconds: seconds)
    let queues = try #require(lines.first { $0.word == "queues" }, sourceLocation: location)
    #expect(queues["max"] == pairs && queues["current"] == pairs, "\(queues)", sourceLocation: location)
    GuestRun.expectPings(in: lines, pairs: pairs, at: location)
  }

  /// Gives the guest a command, which it must do. Returns what it says before the answer, and the answer.
  @discardableResult
  func ask(_ command: String, at location: SourceLocation = #_sourceLocation) throws -> (said: [Line], answer: Line) {
    try process.write(command + "\n")
    var lines = try report.lines(upTo: "answer", seconds: seconds)
    let answer = lines.removeLast()
    #expect(
      answer["ok"] == 1 && command.hasPrefix(answer.values["to"] ?? "?"), "\(command): \(lines) \(answer)",
      sourceLocation: location)
    return (lines, answer)
  }

  /// Has it ping over each of so many pairs.
  func ping(pairs: Int, at location: SourceLocation = #_sourceLocation) throws {
    GuestRun.expectPings(in: try ask("ping", at: location).said, pairs: pairs, at: location)
  }

  /// Has it use so many pairs.
  func useChannels(_ count: Int, at location: SourceLocation = #_sourceLocation) throws {
    let queues = try ask("channels \(count)", at: location).said.first { $0.word == "queues" }
    #expect(queues?["current"] == count, "\(String(describing: queues))", sourceLocation: location)
  }

  /// A TCP stream each way over a pair, checked at both ends.
  func transfer(
    megabytes: Int, pair: Int, peer: StreamPeer, at location: SourceLocation = #_sourceLocation
  ) throws {
    for (command, word) in [("receive", "sent"), ("send", "received")] {
      let answer = try ask("\(command) \(megabytes << 20) \(peer.port) \(pair)", at: location).answer
      #expect(answer["bytes"] == megabytes << 20 && answer["wrong"] == 0, "\(answer)", sourceLocation: location)
      let other = try peer.result()
      #expect(other.word == word, "\(other)", sourceLocation: location)
      for name in ["seed", "bytes", "hash"] {
        #expect(answer.values[name] == other.values[name], "\(answer) \(other)", sourceLocation: location)
      }
      #expect(other["wrong"] == 0, "\(other)", sourceLocation: location)
    }
  }

  /// Ends the guest, which must have no complaint.
  func end(at location: SourceLocation = #_sourceLocation) throws {
    try process.write("end\n")
    let done = try report.lines(upTo: "done", seconds: seconds).last
    #expect(done?["ok"] == 1, "\(String(describing: done))", sourceLocation: location)
    let outcome = try process.wait(seconds: seconds)
    #expect(outcome.code == 0, "\(outcome)", sourceLocation: location)
  }
}
