import Foundation
import LinuxIOTesting
import Testing

/// `mqctl attach --cloud-hypervisor` on `scripts/cloud-hypervisor-api`, which holds each request against Cloud Hypervisor's
/// published API. Cloud Hypervisor itself is not in Debian.
@Suite(.serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunAttachCloudHypervisorTests {
  private struct Server {
    let process: RunningProcess
    let socket: String
    let folder: PublicFolder

    /// `slow`: how many times it is asked before its guest lets a device go.
    init(memory: String = "private", slow: Int = 2) throws {
      folder = try PublicFolder()
      socket = folder.path + "/api"
      process = try RunningProcess([
        Programs.python, "-I", "\(Programs.root)/scripts/cloud-hypervisor-api", socket, memory, "\(slow)",
      ])
      try process.waitForOutput("SERVER ready")
    }

    /// Ends it. What it was asked beside vm.info.
    func asked() throws -> [String] {
      process.kill()
      return try process.wait().out.split(separator: "\n").map(String.init).filter {
        $0.hasPrefix("QUEUES") || $0.hasPrefix("ASKED PUT")
      }
    }
  }

  @Test(arguments: [1, 40]) func aTapsQueues(_ pairs: Int) async throws {
    try await FreshNamespace.run {
      let server = try Server()
      try mqctl("create", "tap0", "--pairs", "\(pairs)", "--mac", "fe:54:00:77:00:01", exits: 0)
      func attach(_ words: String..., exits code: CInt) throws -> Outcome {
        let outcome = try Programs.run([Programs.mqctl, "attach", "tap0", "--cloud-hypervisor", server.socket] + words)
        #expect(outcome.code == code, "\(outcome)")
        return outcome
      }
      #expect(try attach(exits: 0).out == "tap0: attached as tap0, \(pairs) pair(s), the tap queues alone\n")
      #expect(try ShownDevice.named("tap0").attachedQueues == pairs)
      #expect(try attach("--json", exits: 0).out.contains(#""outcome":"unchanged""#))
      try attach("--pairs", "2", exits: 3).expectOneError(saying: "\(pairs) pair(s)")
      try attach("--id", "other", exits: 3).expectOneError(saying: "open queue(s)", "python3")
      try mqctl("create", "tap1", "--pairs", "1", exits: 0)
      try mqctl("attach", "tap1", "--cloud-hypervisor", server.socket, "--id", "tap0", exits: 3)
        .expectOneError(saying: "'tap0' already")
      #expect(try mqctl("detach", "tap0", "--cloud-hypervisor", server.socket, exits: 0).out == "tap0: detached\n")
      try ShownDevice.idle("tap0")
      #expect(
        try mqctl("detach", "tap0", "--cloud-hypervisor", server.socket, exits: 0).out.contains("was not attached"))
      let queues = Array(repeating: "tap0", count: pairs).joined(separator: " ")
      #expect(
        try server.asked() == [
          "QUEUES \(queues)",
          #"ASKED PUT /api/v1/vm.add-net \#(pairs) 200 {"id": "tap0", "mac": "52:54:00:77:00:01", "num_queues": \#(2 * pairs)}"#,
          #"ASKED PUT /api/v1/vm.remove-device 0 204 {"id": "tap0"}"#,
        ])
    }
  }

  /// A guest that does not let it go; and a refusal in the server's words.
  @Test func aGuestThatKeepsIt() async throws {
    try await FreshNamespace.run {
      let server = try Server(slow: 1_000_000)
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      try mqctl("attach", "tap0", "--cloud-hypervisor", server.socket, exits: 0)
      try mqctl("detach", "tap0", "--cloud-hypervisor", server.socket, "--timeout", "1", exits: 1)
        .expectOneError(saying: "has not let device 'tap0' go in 1 s")
      #expect(try ShownDevice.named("tap0").attachedQueues == 2)
      try mqctl("attach", "tap0", "--cloud-hypervisor", server.socket, exits: 3)
        .expectOneError(saying: "has not let go yet")
    }
  }

  @Test func aBackEndsSocket() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", "--mac", "fe:54:00:77:00:01", exits: 0)
      let unshared = try Server()
      try mqctl("attach", "tap0", "--cloud-hypervisor", unshared.socket, "--vhost-user", "/nowhere", exits: 3)
        .expectOneError(saying: "private", "--memory size=SIZE,shared=on")
      let server = try Server(memory: "shared")
      func attach(exits code: CInt) throws -> Outcome {
        try mqctl(
          "attach", "tap0", "--cloud-hypervisor", server.socket, "--vhost-user", server.folder.path + "/be",
          "--timeout", "2",
          exits: code)
      }
      try attach(exits: 1).expectOneError(saying: "/be: No such file", "mqctl serve")
      // Who serves there has another front end, and does not answer; then one that does.
      let backEnd = try RunningProcess([
        Programs.python, "-I", "-c",
        """
        import socket, struct, sys
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
        listener.listen(4)
        print("SERVER ready", flush=True)
        clients = [listener.accept()[0]]
        while True:
            client, _ = listener.accept()
            clients.append(client)
            client.settimeout(0.5)
            try:
                if client.recv(12) == struct.pack("<III", 1, 1, 0):
                    client.sendall(struct.pack("<IIIQ", 1, 5, 8, 1 << 30))
            except OSError:
                pass
        """, server.folder.path + "/be",
      ])
      try backEnd.waitForOutput("SERVER ready")
      try attach(exits: 1).expectOneError(saying: "no answer in 2 s")
      #expect(try attach(exits: 0).out.contains("2 pair(s), through \(server.folder.path)/be"))
      #expect(try attach(exits: 0).out.contains("already"))
      try mqctl("attach", "tap0", "--cloud-hypervisor", server.socket, exits: 3).expectOneError(
        saying: "'tap0' already")
      try mqctl("detach", "tap0", "--cloud-hypervisor", server.socket, exits: 0)
      #expect(
        try server.asked() == [
          "QUEUES",
          #"ASKED PUT /api/v1/vm.add-net 0 200 {"id": "tap0", "mac": "52:54:00:77:00:01", "num_queues": 4, "#
            + #""vhost_mode": "Client", "vhost_socket": "\#(server.folder.path)/be", "vhost_user": true}"#,
          #"ASKED PUT /api/v1/vm.remove-device 0 204 {"id": "tap0"}"#,
        ])
    }
  }

  /// Answers that are none.
  @Test(arguments: [
    ("x" * 20000, "a head of more than"), ("SSH-2.0-OpenSSH\r\n\r\n", "'SSH-2.0-OpenSSH'"),
    ("HTTP/1.1 200 \r\nContent-Length: 10\r\n\r\n{}", "ended the connection"),
    ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", "no description of a machine"),
    ("HTTP/1.1 200 \r\nContent-Length: 999999999\r\n\r\n{}", "a body of 999999999 bytes"), ("", "ended the connection"),
    ("HTTP/1.1 500 \r\nContent-Length: 22\r\n\r\n[\"VM\\nis\",\"not there\"]", "VM is: not there (HTTP status 500)"),
    ("HTTP/1.1 404 \r\n\r\n", "vm.info: HTTP status 404"),
  ])
  func answersThatAreNone(_ answer: String, _ says: String) async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "1", exits: 0)
      let folder = try PublicFolder()
      let server = try RunningProcess([
        Programs.python, "-I", "-c",
        """
        import socket, sys
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
        listener.listen(1)
        print("SERVER ready", flush=True)
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(sys.argv[2].encode())
        """, folder.path + "/api", answer,
      ])
      try server.waitForOutput("SERVER ready")
      try mqctl("attach", "tap0", "--cloud-hypervisor", folder.path + "/api", exits: 1).expectOneError(saying: says)
      try ShownDevice.idle("tap0")
    }
  }
}

private func * (text: String, count: Int) -> String { String(repeating: text, count: count) }
