import Foundation
import Testing

/// Stands between mqctl and QEMU, and stops at one message.
final class QmpProxy {
  /// What happens at the message.
  enum Action {
    /// Nothing more is passed on, until mqctl has gone.
    case hold
    /// That process is killed, and the connection ends.
    case kill(Int)
  }

  let process: RunningProcess
  let socket: String

  private static let program = """
    import json, os, select, signal, socket, sys
    listen, target, wanted, index, when, victim = sys.argv[1:7]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(listen)
    listener.listen(1)
    print("PROXY ready", flush=True)
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    seen = 0

    def stop():
        if victim != "0":
            os.kill(int(victim), signal.SIGKILL)
        print("PROXY stopped", flush=True)
        while victim == "0" and client.recv(65536):
            pass
        sys.exit(0)

    while True:
        for ready in select.select([client, server], [], [])[0]:
            if ready is server:
                data = server.recv(65536)
                if not data:
                    sys.exit(0)
                client.sendall(data)
                continue
            # One command at a time, and so a message is a line.
            data, descriptors, _, _ = socket.recv_fds(client, 65536, 8)
            if not data:
                sys.exit(0)
            name = json.loads(data)["execute"]
            seen += wanted in ("*", name)
            hit = wanted in ("*", name) and seen == int(index)
            if hit and when == "before":
                stop()
            socket.send_fds(server, [data], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            if hit:
                # Done, and mqctl does not hear of it.
                if victim == "0":
                    server.recv(65536)
                stop()
    """

  /// Listens at `path`; stops before or after the message of that number among those of that name.
  init(
    at path: String, before qemu: BareQemu, message: String, number: Int, when: String, action: Action
  ) throws {
    socket = path
    try? FileManager.default.removeItem(atPath: path)
    let victim = if case .kill(let pid) = action { pid } else { 0 }
    process = try RunningProcess([
      Programs.python, "-I", "-c", Self.program, path, qemu.qmp, message, "\(number)", when, "\(victim)",
    ])
    try process.waitForOutput("PROXY ready")
  }

  /// Whether it came to that message.
  func hasStopped() throws -> Bool {
    try process.wait().out.contains("PROXY stopped")
  }
}
