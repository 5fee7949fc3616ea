import Foundation
import LinuxIOTesting
import Testing

/// What `mqctl apply` draws on a real terminal (pty(7)).
extension TunTests {
  @Suite struct ApplyProgress {
    /// Runs a command on a terminal of its own of so many columns, and prints all that it wrote there.
    private static let onTerminal = """
      import fcntl, os, pty, struct, sys, termios
      child, terminal = pty.fork()
      if child == 0:
          fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
          os.execv(sys.argv[2], sys.argv[2:])
      while True:
          try:
              sys.stdout.buffer.write(os.read(terminal, 65536))
          except OSError:
              break
      sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
      """

    @Test(arguments: [80, 40, 10]) func theBarStaysInItsLine(_ columns: Int) async throws {
      try await FreshNamespace.run {
        let list = (0..<60).map { "{name: device-\($0), pairs: 1}" }.joined(separator: ", ")
        let file = try Apply.DeviceFile("devices: [\(list)]")
        let outcome = try Programs.run(
          [Programs.python, "-c", Self.onTerminal, String(columns), Programs.mqctl, "apply", file.path])
        #expect(outcome.code == 0 && outcome.err == "", "\(outcome)")
        // Each drawing goes from the line's start to the erasing of its rest.
        var drawn = outcome.out.components(separatedBy: "\u{1B}[K")
        #expect(drawn.removeLast() == "60 created\r\n", "\(outcome)")
        #expect(drawn.removeLast() == "\r", "the bar is taken away: \(outcome)")
        let first = String("\r[..............................] 1 of 60  device-0".prefix(columns))
        #expect(drawn.first == first, "\(outcome)")
        #expect(drawn.allSatisfy { $0.hasPrefix("\r[") && !$0.contains("\n") && $0.count <= columns }, "\(outcome)")
      }
    }

    /// Where standard output is a file, the lines are in it.
    @Test func theLinesAreElsewhere() async throws {
      try await FreshNamespace.run {
        let list = (0..<30).map { "{name: tap\($0), pairs: 1}" }.joined(separator: ", ")
        let file = try Apply.DeviceFile("devices: [\(list)]")
        let outcome = try Programs.run([Programs.mqctl, "apply", file.path])
        #expect(outcome.code == 0 && outcome.err == "" && !outcome.out.contains("\u{1B}"), "\(outcome)")
        #expect(outcome.out.split(separator: "\n").count == 31, "\(outcome)")
      }
    }
  }
}
