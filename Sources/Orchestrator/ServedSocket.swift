internal import LinuxIO
internal import SystemPackage

/// Where `mqctl serve` listens for front ends, as /proc shows it to others.
public struct ServedSocket: Sendable, Equatable {
  /// The socket's address as it was bound; a leading `@` is Linux's abstract space.
  public let path: String
  /// Whether a front end is connected now: one that was accepted, not one that waits.
  public let isConnected: Bool

  internal init(path: String, isConnected: Bool) {
    self.path = path
    self.isConnected = isConnected
  }

  /// Of a process that has a tap's queues: if it is an `mqctl` (its /proc/PID/comm) and listens on a local stream socket, it
  /// serves. No other command of this program does; a hypervisor that listens for a monitor has another name. Nil
  /// also where the socket was made in another network namespace, as a service manager may: /proc does not say where then.
  internal init?(ofProcess process: Int, command: String) {
    guard command == "mqctl" else { return nil }
    let prefix = "socket:["
    let inodes = ((try? FileTree.entries(of: "/proc/\(process)/fd")) ?? []).compactMap { entry -> Int? in
      guard let target = try? FileTree.linkTarget(of: "/proc/\(process)/fd/\(entry)"), target.hasPrefix(prefix)
      else { return nil }
      return Int(target.dropFirst(prefix.count).dropLast())
    }
    guard let table = try? FileTree.text(of: "/proc/\(process)/net/unix", limit: 1 << 24) else { return nil }
    self.init(table: table, inodes: Set(inodes))
  }

  /// From /proc/net/unix: the first of these inodes that is a listening stream socket, and whether another of them
  /// is connected at its address, which an accepted socket has of the one that it was accepted from.
  internal init?(table: String, inodes: Set<Int>) {
    // Num: RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON, SOCK_STREAM, SS_CONNECTED.
    var own: [(flags: Substring, state: Substring, path: Substring)] = []
    for line in table.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 7)
      guard fields.count == 8, fields[4] == "0001", let inode = Int(fields[6]), inodes.contains(inode) else { continue }
      own.append((fields[3], fields[5], fields[7]))
    }
    guard let listener = own.first(where: { $0.flags == "00010000" }) else { return nil }
    self.init(
      path: String(listener.path),
      isConnected: own.contains { $0.flags == "00000000" && $0.state == "03" && $0.path == listener.path })
  }
}
