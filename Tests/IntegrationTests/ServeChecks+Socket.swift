import Foundation
import LinuxIO
import LinuxIOTesting
import Orchestrator
import TapMQ
import Testing

/// Where `mqctl serve` listens, and who may connect.
extension ServeChecks {
  func permissionsAreThoseAskedFor() async throws {
    try await FreshNamespace.run {
      for (options, mode, owner, group) in [
        ([], 0o600, 0, 0), (["--socket-mode", "660", "--socket-group", "65534"], 0o660, 0, 65534),
        (["--user", "65534"], 0o600, 65534, 0),
      ] {
        let folder = try PublicFolder()
        try TapFixture.make(DeviceSpec(name: InterfaceName("tap0"), pairs: 1))
        let socket = "\(folder.path)/socket"
        let process = try RunningProcess([Programs.mqctl, "serve", "tap0", "--socket", socket] + options)
        try process.waitForErrors("pair(s) at")
        let found = try FileManager.default.attributesOfItem(atPath: socket)
        #expect(found[.posixPermissions] as? Int == mode && found[.type] as? FileAttributeType == .typeSocket)
        #expect(found[.ownerAccountID] as? Int == owner && found[.groupOwnerAccountID] as? Int == group)
        process.kill(2)
        let outcome = try process.wait()
        #expect(outcome.code == 0)
        // In a folder that is root's, nobody cannot remove it, and says so.
        #expect(outcome.err.contains("could not be removed") == (owner != 0), "\(outcome)")
      }
    }
  }

  func aDeadSocketIsReplacedAndALivingOneIsNot() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 1)
      try mqctl("create", "tap1", "--pairs", "1", exits: 0)
      try mqctl("serve", "tap1", "--socket", served.socket, exits: 3).expectOneError(saying: served.socket)
      try mqctl("serve", "tap1", "--socket", "/etc/passwd", exits: 3).expectOneError(saying: "/etc/passwd")
      try mqctl("serve", "tap1", exits: 2).expectOneError(saying: "--socket")
      // The one that serves has noticed nothing.
      #expect(!served.process.errText.contains("connected"))
      served.process.kill()
      _ = try served.process.wait()
      let second = try RunningProcess([Programs.mqctl, "serve", "tap1", "--socket", served.socket])
      try second.waitForErrors("pair(s) at")
      second.kill(15)
      let outcome = try second.wait()
      #expect(outcome.code == 0 && !FileManager.default.fileExists(atPath: served.socket), "\(outcome)")
    }
  }

  /// As systemd starts it: the socket is there already, and readiness is told by a datagram.
  func socketActivation() async throws {
    try await FreshNamespace.run {
      try TapFixture.make(DeviceSpec(name: InterfaceName("tap0"), pairs: 1))
      let folder = try PublicFolder()
      let manager = """
        import os, socket, sys
        s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + "/socket"); s.listen(1)
        n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.bind(sys.argv[1] + "/notify")
        pid = os.fork()
        if pid == 0:
            os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET=sys.argv[1] + "/notify")
            os.execv(sys.argv[2], [sys.argv[2], "serve", "tap0", "--once"])
        print(n.recv(100).decode(), flush=True)
        c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1] + "/socket"); c.close()
        print(n.recv(100).decode(), os.waitpid(pid, 0)[1], os.path.exists(sys.argv[1] + "/socket"))
        """
      let outcome = try Programs.run([Programs.python, "-I", "-c", manager, folder.path, Programs.mqctl])
      #expect(outcome.out == "READY=1\nSTOPPING=1 0 True\n", "\(outcome)")
    }
  }
}
