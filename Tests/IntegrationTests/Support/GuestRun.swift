import Foundation
import LinuxIO
import Testing

/// The test guest of lab/guest: its QEMU words, and what it reports.
final class GuestRun {
  static let hostAddress = "10.77.0.1"
  static let guestAddress = "10.77.0.2"
  static let prefix = 24
  static let pings = 3

  /// Whether a guest can be run here, and what is missing where not.
  static var isAvailable: Bool { FileManager.default.isExecutableFile(atPath: qemu) }
  static let requirement = "needs \(qemu), of Debian's package qemu-system-x86"
  static let qemu = "/usr/bin/qemu-system-x86_64"

  /// QEMU's words, the program first, without the network. The guest's files are copied to where every user may read them.
  let words: [String]
  private let folder: PublicFolder

  /// A guest with a CPU for every pair, which stays up after its report until a line comes.
  ///
  /// - Parameters:
  ///   - reboots: whether it may: otherwise that ends QEMU.
  ///   - isPlugged: whether its device comes later, and it reports when it is told that there is one.
  init(pairs: Int, seconds: Int, reboots: Bool = false, isPlugged: Bool = false) throws {
    folder = try PublicFolder()
    let arguments = try Programs.run(
      [
        "\(Programs.root)/lab/guest/qemu-args", "--cpus", "\(pairs)", "--qemu", Self.qemu,
      ] + (reboots ? ["--reboots"] : []) + [
        "--", "mq.address=\(Self.guestAddress)/\(Self.prefix)", "mq.peer=\(Self.hostAddress)", "mq.pings=\(Self.pings)",
        "mq.hold=600", "mq.plug=\(isPlugged ? 1 : 0)",
        "mq.timeout=\(seconds)", "mq.reach=\(seconds / 2)",
      ], seconds: 300)
    #expect(arguments.code == 0, "\(arguments)")
    var words = arguments.out.split(separator: "\n").map(String.init)
    for option in ["-kernel", "-initrd"] {
      guard let index = words.firstIndex(of: option) else { continue }
      words[index + 1] = try folder.copy(of: words[index + 1])
    }
    self.words = words
  }

  /// A file of the project where every user may read it.
  func publish(_ path: String) throws -> String { try folder.copy(of: "\(Programs.root)/\(path)") }

  /// The report lines in what QEMU has printed so far.
  static func lines(_ output: String) -> [ReportReader.Line] { ReportReader.lines(output, mark: "MQGUEST") }

  /// Waits for the guest's report, runs `body` while the guest holds, lets it go and checks the report.
  static func check(
    _ process: RunningProcess, pairs: Int, seconds: Double, whileItHolds body: (RunningProcess) throws -> Void
  ) throws {
    try process.waitForOutput("MQGUEST hold", seconds: seconds)
    try body(process)
    try process.write("end\n")
    let outcome = try process.wait(seconds: seconds)
    #expect(outcome.code == 0, "\(outcome)")
    let lines = Self.lines(outcome.out)
    let done = try #require(lines.last { $0.word == "done" }, "\(outcome)")
    #expect(done["ok"] == 1, "\(outcome)")
    try checkReport(lines, pairs: pairs)
  }

  /// What a guest reports of a device: all pairs are there, and the pings of each crossed it, both ways.
  static func checkReport(_ lines: [ReportReader.Line], pairs: Int) throws {
    let queues = try #require(lines.first { $0.word == "queues" })
    #expect(queues["max"] == pairs && queues["current"] == pairs, "\(queues)")
    expectPings(in: lines, pairs: pairs)
  }

  /// Every pair has sent its pings, and got its answers.
  static func expectPings(
    in lines: [ReportReader.Line], pairs: Int, at location: SourceLocation = #_sourceLocation
  ) {
    let pings = lines.filter { $0.word == "ping" }
    #expect(pings.map { $0["queue"] } == Array(0..<pairs), "\(pings)", sourceLocation: location)
    for ping in pings {
      #expect(ping["sent"] == Self.pings && ping["received"] == Self.pings, "\(ping)", sourceLocation: location)
      // The driver's own counters of that pair: it went out there, and the answer came in there.
      #expect(ping["tx"] >= Self.pings && ping["rx"] >= Self.pings, "\(ping)", sourceLocation: location)
    }
  }

  /// An ICMP echo from this namespace to the guest: succeeds if one of ten is answered in time. Not every machine has ping(8).
  static func pingGuest() throws -> Outcome {
    let program = """
      import select, socket, struct, sys
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
      for sequence in range(10):
          total = sum(struct.unpack("!4H", struct.pack("!BBHHH", 8, 0, 0, 0x7101, sequence)))
          check = ~(total + (total >> 16)) & 0xFFFF
          s.sendto(struct.pack("!BBHHH", 8, 0, check, 0x7101, sequence), (sys.argv[1], 0))
          while select.select([s], [], [], 2)[0]:
              reply = s.recv(2048)[20:]
              if reply[0] == 0 and struct.unpack("!HH", reply[4:8]) == (0x7101, sequence):
                  sys.exit(0)
      sys.exit(1)
      """
    return try Programs.run([Programs.python, "-I", "-c", program, guestAddress])
  }

  /// What must be so of a hypervisor that `mqctl exec` started as nobody.
  static func expectNoPrivilege(_ process: Int) throws {
    let status = try processStatus(process)
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
      #expect(status[set] == ExecProbe.noCapability, "\(set) \(status[set] ?? "?")")
    }
    #expect(status["NoNewPrivs"] == "1")
    #expect(status["Uid"] == "65534\t65534\t65534\t65534" && status["Gid"] == "65534\t65534\t65534\t65534")
  }

  /// The numbers of the descriptors that are that node.
  static func descriptors(of process: Int, named node: String) throws -> [Int] {
    try openDescriptors(of: process).filter { $0.value == node }.keys.sorted()
  }
}
