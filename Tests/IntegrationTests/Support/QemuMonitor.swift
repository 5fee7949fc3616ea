import Foundation
import LinuxIO
import SystemPackage

/// QEMU's monitor, by QMP: a command, and what it returns.
final class QemuMonitor {
  private let socket: OwnedDescriptor
  private var pending: [UInt8] = []

  struct Refused: Error, CustomStringConvertible {
    let description: String
  }

  /// QEMU's words for a monitor at a path.
  static func words(at path: String) -> [String] { ["-qmp", "unix:\(path),server=on,wait=off"] }

  /// Connects once it is there.
  init(at path: String) throws {
    try Self.await(path)
    socket = try UnixStream.connect(to: path)
    _ = try read()
    try run("qmp_capabilities")
  }

  /// Runs a command; what it returns, if that is an object.
  @discardableResult
  func run(_ command: String, _ arguments: [String: Any] = [:]) throws -> [String: Any] {
    let request: [String: Any] = ["execute": command, "arguments": arguments]
    try UnixStream.send([UInt8](JSONSerialization.data(withJSONObject: request)), to: socket.descriptor)
    while true {
      let answer = try read()
      if answer["error"] != nil { throw Refused(description: "\(command): \(answer)") }
      if let value = answer["return"] { return value as? [String: Any] ?? [:] }
    }
  }

  /// Moves the guest to whoever listens at that path, and waits until it has gone.
  ///
  /// Not before its memory was gone through three times while it ran: otherwise QEMU stops a guest as small as ours at
  /// once, and nothing would depend on what it was told of written pages.
  func migrate(to path: String, seconds: Double) throws {
    try Self.await(path)
    try run("migrate-set-parameters", ["max-bandwidth": 1 << 30, "downtime-limit": 1])
    try run("migrate", ["uri": "unix:\(path)"])
    // On a fast machine QEMU may find by itself that the rest goes in a millisecond. It has gone through the memory once more
    // then, with the guest stopped.
    try awaitMigration(["active", "completed"], seconds: seconds) { state in
      let rounds = (state["ram"] as? [String: Any])?["dirty-sync-count"] as? Int ?? 0
      return rounds > (state["status"] as? String == "completed" ? 4 : 3)
    }
    try run("migrate-set-parameters", ["downtime-limit": 10_000])
    try awaitMigration(["completed"], seconds: seconds) { _ in true }
  }

  /// Waits until a migration has one of those statuses, and something is so of it.
  private func awaitMigration(
    _ statuses: [String], seconds: Double, until isSo: ([String: Any]) -> Bool
  ) throws {
    var state: [String: Any] = [:]
    _ = try eventually(seconds: seconds) {
      state = try run("query-migrate")
      let now = state["status"] as? String ?? ""
      return statuses.contains(now) && isSo(state) || now == "completed" || now == "failed"
    }
    guard statuses.contains(state["status"] as? String ?? ""), isSo(state) else {
      throw Refused(description: "migrate, not \(statuses) in \(seconds) s: \(state)")
    }
  }

  private static func await(_ path: String) throws {
    guard eventually(seconds: 60, { FileManager.default.fileExists(atPath: path) }) else {
      throw Refused(description: "\(path) does not appear")
    }
  }

  /// The next object; one a line.
  private func read() throws -> [String: Any] {
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Data(pending[..<end])
        pending.removeFirst(end + 1)
        return try JSONSerialization.jsonObject(with: line) as? [String: Any] ?? [:]
      }
      guard try LinuxKernel().poll([socket.descriptor], milliseconds: 60_000)[0] else { throw Errno.timedOut }
      var part: [UInt8] = []
      let received = try UnixStream.receive(from: socket.descriptor, into: &part, atMost: 1 << 16)
      guard received.byteCount > 0 else { throw Errno.connectionReset }
      pending += part
    }
  }
}
