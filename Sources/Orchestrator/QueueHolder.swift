internal import LinuxIO
internal import SystemPackage
internal import TapMQ

/// A process that has queues of a tap open, as /proc tells (`iff:` in the descriptor's fdinfo).
///
/// Needs CAP_SYS_PTRACE to see processes of other users; what cannot be read is not reported.
public struct QueueHolder: Sendable, Equatable {
  /// The process.
  public let process: Int
  /// Its /proc/PID/comm.
  public let command: String
  /// How many attached queues of the tap it has open.
  public let attachedQueues: Int
  /// Open descriptors of /dev/net/tun that name no device: detached queues, of this tap or another.
  public let unnamedQueues: Int
  /// How many /dev/vhost-net it has open.
  public let vhostDescriptors: Int

  /// Every process that holds an attached queue of `interface`. `unnamed` adds those that hold none, but a descriptor
  /// that may be a detached one.
  public static func all(of interface: String, includingUnnamed unnamed: Bool = false) -> [QueueHolder] {
    let processes = (try? FileTree.entries(of: "/proc")) ?? []
    return processes.compactMap(Int.init).sorted().compactMap { process in
      holder(process, of: interface).flatMap { $0.attachedQueues > 0 || unnamed ? $0 : nil }
    }
  }

  private static func holder(_ process: Int, of interface: String) -> QueueHolder? {
    var attached = 0
    var unnamed = 0
    var vhost = 0
    for number in (try? FileTree.entries(of: "/proc/\(process)/fd")) ?? [] {
      switch try? FileTree.linkTarget(of: "/proc/\(process)/fd/\(number)") {
      case "/dev/net/tun":
        guard let info = try? FileTree.text(of: "/proc/\(process)/fdinfo/\(number)") else { continue }
        let name = info.split(separator: "\n").first { $0.hasPrefix("iff:") }?.dropFirst(4).drop {
          $0 == "\t" || $0 == " "
        }
        switch name {
        case .some(let name) where name == interface:
          if isSameNamespace(process, number) { attached += 1 }
        case .some(""): unnamed += 1
        default: break
        }
      case "/dev/vhost-net": vhost += 1
      default: break
      }
    }
    guard attached + unnamed > 0 else { return nil }
    return QueueHolder(
      process: process, command: (try? FileTree.text(of: "/proc/\(process)/comm")) ?? "?", attachedQueues: attached,
      unnamedQueues: unnamed, vhostDescriptors: vhost)
  }

  /// The name in fdinfo says nothing of the namespace. TUNGETDEVNETNS on a copy of the descriptor does; where that is
  /// not allowed, the name has to do.
  private static func isSameNamespace(_ process: Int, _ number: String) -> Bool {
    guard let number = Int(number), let own = try? FileTree.identity(of: "/proc/thread-self/ns/net"),
      let copy = try? ProcessControl.copy(descriptor: number, ofProcess: process),
      let identity = try? TapNamespace.identity(of: copy.descriptor)
    else { return true }
    return identity == own
  }
}
