import Foundation

/// What a program that `mqctl exec` started found when it looked at itself.
struct ExecProbe: Decodable {
  /// Descriptors, and what each is (`readlink /proc/self/fd/N`).
  let fds: [String: String]
  /// Of the tap queues: TUNGETIFF's name and flags; empty if there are none.
  let taps: [Tap]
  /// LISTEN_* and MQCTL_* variables.
  let environment: [String: String]
  /// /proc/self/status.
  let status: [String: String]
  let pid: Int
  /// `readlink /proc/self/ns/net`.
  let namespace: String
  /// Its arguments.
  let words: [String]

  struct Tap: Decodable, Equatable {
    let name: String
    let flags: Int
  }

  var descriptors: [Int] { fds.keys.compactMap { Int($0) }.sorted() }

  /// Every set that could give a capability, as /proc has it.
  var capabilities: [String] { ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map { status[$0] ?? "?" } }

  static let noCapability = "0000000000000000"

  /// Python's words for the program; more may follow.
  static let command = [Programs.python, "-I", "-c", program]

  init(_ outcome: Outcome) throws {
    self = try JSONDecoder().decode(ExecProbe.self, from: Data(outcome.out.utf8))
  }

  private static let program = """
    import fcntl, json, os, struct, sys
    fds = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            fds[number] = os.readlink("/proc/self/fd/" + number)
        except OSError:
            pass  # the one that listed the folder
    taps = []
    for number in sorted(map(int, fds)):
        if fds[str(number)] == "/dev/net/tun":
            name, flags = struct.unpack("16sH22x", fcntl.ioctl(number, 0x800454D2, bytes(40)))
            taps.append({"name": name.rstrip(b"\\0").decode(), "flags": flags})
    status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
    ours = {k: v for k, v in os.environ.items() if k.startswith(("LISTEN_", "MQCTL_"))}
    print(json.dumps({"fds": fds, "taps": taps, "environment": ours, "status": status, "pid": os.getpid(),
                      "namespace": os.readlink("/proc/self/ns/net"), "words": sys.argv[1:]}))
    """
}
