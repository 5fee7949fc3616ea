import Foundation
import LinuxIO
import Testing

/// A QEMU without any right and without a network: a QMP socket, and a port that a device may come to.
final class BareQemu {
  let process: RunningProcess
  let qmp: String
  private let folder: PublicFolder
  private var plugs = 0

  /// One with the test guest, which was made to be plugged.
  convenience init(_ guest: GuestRun) throws {
    try self.init(words: guest.words)
    try process.waitForOutput("MQGUEST hold", seconds: 300)
  }

  /// One whose processor stands still: there is no guest that would let a device go.
  static func stopped(_ more: String...) throws -> BareQemu { try stopped(more: more) }

  static func stopped(more: [String]) throws -> BareQemu {
    try BareQemu(
      words: [
        GuestRun.qemu, "-no-user-config", "-nodefaults", "-accel", "tcg", "-machine", "q35", "-m", "64", "-S",
        "-display", "none",
      ] + more)
  }

  private init(words: [String]) throws {
    folder = try PublicFolder()
    qmp = folder.path + "/qmp"
    try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: folder.path)
    process = try RunningProcess(
      [
        Programs.python, "-I", "-c",
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execvp(sys.argv[1], sys.argv[1:])",
      ] + words + [
        "-qmp", "unix:\(qmp),server=on,wait=off", "-device", "pcie-root-port,id=rp0,chassis=1",
      ])
    // The file is there a moment before it is listened on.
    let socket = qmp
    #expect(eventually(seconds: 60) { (try? UnixStream.connect(to: socket)) != nil })
  }

  var pid: Int { Int(process.processID) }

  /// A place for a socket that everybody may reach.
  func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  /// How many tap queues and vhost devices it has open.
  func openQueues() throws -> [Int] {
    try ["/dev/net/tun", "/dev/vhost-net"].map { try GuestRun.descriptors(of: pid, named: $0).count }
  }

  /// The guest waits for its new device, and reports what it found.
  func expectPlugged(pairs: Int, seconds: Double) throws {
    plugs += 1
    let before = process.outText.count
    try process.write("plug\n")
    try process.waitForOutput("MQGUEST answer to=plug", times: plugs, seconds: seconds)
    let lines = GuestRun.lines(String(process.outText.dropFirst(before)))
    try GuestRun.checkReport(lines, pairs: pairs)
    let mac = try ShownDevice.named("tap0").guestMAC
    #expect(lines.first { $0.word == "ready" }?.values["mac"] == mac)
  }

  /// The guest has no device any more.
  func expectUnplugged(seconds: Double) throws {
    try process.write("unplug\n")
    try process.waitForOutput("MQGUEST answer to=unplug ok=1", times: plugs, seconds: seconds)
  }

  /// The guest ends by itself, content.
  func end(seconds: Double) throws {
    try process.write("end\n")
    let outcome = try process.wait(seconds: seconds)
    #expect(outcome.code == 0 && outcome.out.contains("MQGUEST done ok=1"), "\(outcome)")
  }
}
