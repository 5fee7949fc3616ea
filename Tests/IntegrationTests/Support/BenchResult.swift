import Foundation
import Glibc
import LinuxIO
import Testing

/// `mqctl bench --json`.
struct BenchResult: Decodable {
  struct Latency: Decodable {
    let count: Int
    let p50Microseconds: Double
    let p99Microseconds: Double
    let p999Microseconds: Double
  }

  struct Flow: Decodable {
    let pair: Int?
    let packetsPerSecond: Double
    let transmittedPerSecond: Double
    let receivedPerSecond: Double
    let gigabitsPerSecond: Double
    let workerSecondsPerMillion: Double?
    let workerCPUs: [Int]
    let generatorCPUs: [Int]
    let lost: Int
    let latency: Latency?
  }

  struct Tap: Decodable {
    let fromGuests: Int
    let fromGuestsDropped: Int
    let toGuests: Int
    let toGuestsDropped: Int
  }

  struct Measurement: Decodable {
    let pairs: Int
    let size: Int
    let direction: String
    let seconds: Double
    let scale: Double?
    let stray: Int
    let ringsTransmitted: Int
    let ringsReceived: Int
    let exclusive: Bool
    let waited: Double
    let tap: Tap?
    let total: Flow
    let flows: [Flow]
  }

  struct Omission: Decodable {
    let pairs: Int
    let size: Int
    let reason: String
  }

  let through: String
  let measurements: [Measurement]
  let omissions: [Omission]

  init(_ outcome: Outcome) throws {
    self = try JSONDecoder().decode(BenchResult.self, from: Data(outcome.out.utf8))
  }

  /// What is true of a run on a tap of its own, however fast the machine is.
  func expectTrue(
    pairs: [Int], sizes: [Int], directions: [String], at location: SourceLocation = #_sourceLocation
  ) {
    var expected: [String] = []
    for count in pairs { for size in sizes { for way in directions { expected.append("\(count) \(size) \(way)") } } }
    #expect(
      measurements.map { "\($0.pairs) \($0.size) \($0.direction)" } == expected, sourceLocation: location)
    for one in measurements {
      let comment = Comment(rawValue: "\(one)")
      #expect(one.flows.map(\.pair) == Array(0..<one.pairs), comment, sourceLocation: location)
      for flow in one.flows {
        // Every pair carried frames, only the ways that were asked for, and its echoes were answered.
        #expect((flow.transmittedPerSecond > 0) == (one.direction != "rx"), comment, sourceLocation: location)
        #expect((flow.receivedPerSecond > 0) == (one.direction != "tx"), comment, sourceLocation: location)
        #expect((flow.latency?.count ?? 0) > 0, comment, sourceLocation: location)
        #expect(!flow.workerCPUs.isEmpty && !flow.generatorCPUs.isEmpty, comment, sourceLocation: location)
      }
      let sum = one.flows.map(\.packetsPerSecond).reduce(0, +)
      #expect(abs(sum - one.total.packetsPerSecond) <= 0.001 * sum, comment, sourceLocation: location)
      let bits = one.total.packetsPerSecond * Double(one.size) * 8 / 1e9
      #expect(abs(bits - one.total.gigabitsPerSecond) <= 0.001 * bits, comment, sourceLocation: location)
      // What the rings say, the tap says too: every frame that a guest gave away was taken, none came from nowhere.
      #expect(one.tap?.fromGuests == one.ringsTransmitted, comment, sourceLocation: location)
      #expect(one.tap?.fromGuestsDropped == 0, comment, sourceLocation: location)
      #expect((one.tap?.toGuests ?? 0) >= one.ringsReceived, comment, sourceLocation: location)
      #expect(one.tap?.toGuestsDropped == 0 && one.total.lost == 0, comment, sourceLocation: location)
      #expect(one.stray == 0 && (0...1).contains(one.waited), comment, sourceLocation: location)
      let base = measurements.first { $0.size == one.size && $0.direction == one.direction }
      let scale = one.total.packetsPerSecond / (base?.total.packetsPerSecond ?? 1)
      #expect(abs((one.scale ?? 0) - scale) < 0.001 * scale, comment, sourceLocation: location)
    }
  }
}

/// A `mqctl bench` that runs, and everything that belongs to it.
final class RunningBench {
  let process: RunningProcess
  /// `mqctl serve` and the load generators.
  let children: [Int]
  private let namespace: FileIdentity

  /// Starts it, and waits until `pairs` generators are there.
  init(_ words: [String], pairs: Int) throws {
    let process = try RunningProcess([Programs.mqctl] + words)
    self.process = process
    let pid = Int(process.processID)
    var children: [Int] = []
    #expect(
      try eventually(seconds: 60) {
        children = try Self.children(of: pid)
        return children.count == pairs + 1
      }, "\(children)")
    self.children = children.sorted()
    namespace = try FileTree.identity(of: "/proc/\(pid)/ns/net")
    #expect(try namespace != FileTree.identity(of: "/proc/thread-self/ns/net"), "a namespace of its own")
  }

  /// `mqctl serve` among the children: the one that has executed another image of the program.
  func servePID() throws -> Int {
    try #require(
      children.first { (try? FileTree.text(of: "/proc/\($0)/cmdline"))?.contains("\0serve\0") == true }, "\(children)")
  }

  /// Whatever belongs to it ends within a moment: every process, and so the namespace and the tap in it.
  func expectGone(at location: SourceLocation = #_sourceLocation) throws {
    var left: [String] = []
    _ = try eventually(seconds: 30) {
      left = try FileTree.entries(of: "/proc").compactMap { Int($0) }.filter { pid in
        (try? FileTree.identity(of: "/proc/\(pid)/ns/net")) == namespace
      }.map { "\($0): \((try? FileTree.text(of: "/proc/\($0)/cmdline")) ?? "")" }
      left += children.filter { kill(pid_t($0), 0) == 0 }.map { "\($0)" }
      return left.isEmpty
    }
    #expect(left.isEmpty, sourceLocation: location)
  }

  private static func children(of parent: Int) throws -> [Int] {
    try FileTree.entries(of: "/proc").compactMap { Int($0) }.filter { pid in
      guard let text = try? FileTree.text(of: "/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
        return false
      }
      return text[text.index(after: end)...].split(separator: " ").dropFirst().first == "\(parent)"
    }
  }
}
