import Foundation
import LinuxIOTesting
import Testing

/// `mqctl attach --qmp` on servers that are no QEMU, and mean no good: it ends in time, with one line, and nothing is left.
@Suite(.serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunAttachTests {
  /// A QMP server that goes wrong at one point. It prints what it was asked, a line a command, and how many descriptors
  /// came along.
  private static let program = """
    import json, os, socket, sys, time
    path, fault = sys.argv[1:3]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    print("SERVER ready", flush=True)
    client, _ = listener.accept()
    greeting = b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}, "capabilities": []}}\\r\\n'

    def end():
        time.sleep(120)

    def send(text):
        client.sendall(text if isinstance(text, bytes) else json.dumps(text).encode() + b"\\r\\n")

    if fault == "silent": end()
    if fault == "close": sys.exit(0)
    if fault == "half": send(greeting[:20]); end()
    if fault == "half-close": send(greeting[:20]); sys.exit(0)
    if fault == "garbage": send(b"220 mail.example.org ESMTP\\r\\n"); end()
    if fault == "no-greeting": send({"return": {}}); end()
    if fault == "endless":
        try:
            while True: client.sendall(b"x" * 65536)
        except OSError:
            sys.exit(0)
    send(greeting)
    if fault == "events":
        try:
            while True: send({"event": "TICK", "data": {}})
        except OSError:
            sys.exit(0)
    devices = {"/machine/peripheral": [], "/machine/peripheral-anon": []}
    buffer = b""
    while True:
        data, descriptors, _, _ = socket.recv_fds(client, 65536, 8)
        if not data:
            sys.exit(0)
        buffer += data
        while b"\\n" in buffer:
            line, buffer = buffer.split(b"\\n", 1)
            command = json.loads(line)
            name, arguments, number = command["execute"], command.get("arguments", {}), command["id"]
            print("ASKED", name, len(descriptors), json.dumps(arguments, sort_keys=True), flush=True)
            if fault == "capabilities" and name == "qmp_capabilities":
                send({"error": {"class": "CommandNotFound", "desc": "no"}, "id": number}); continue
            if fault == "wrong-id": send({"return": {}, "id": number + 1}); end()
            if fault == "stall-" + name: end()
            if fault == "close-" + name: sys.exit(0)
            if fault == "half-" + name: send(b'{"return": {'); end()
            if fault == "deep-" + name: send(b'{"return": ' + b"[" * 400000 + b"\\r\\n"); end()
            if fault == "refuse-" + name:
                send({"error": {"class": "GenericError", "desc": "not\\ntoday\\x1b[31m " + "x" * 2000}, "id": number}); continue
            if fault == "duplicate" and name == "netdev_add":
                send({"error": {"class": "GenericError", "desc": "Duplicate ID 'x'"}, "id": number}); continue
            if fault == "refuse-all-" + name:
                fault = "refuse-everything"
            if fault == "refuse-everything":
                send({"error": {"class": "GenericError", "desc": "broken"}, "id": number}); continue
            if fault == "lie" and name != "qmp_capabilities":
                send({"return": {"fd": "x", "fdset-id": []}, "id": number}); continue
            if name in ("netdev_del",):
                send({"error": {"class": "DeviceNotFound", "desc": "none"}, "id": number})
            elif name in ("chardev-remove", "closefd"):
                send({"error": {"class": "GenericError", "desc": "not found"}, "id": number})
            elif name == "device-list-properties":
                send({"return": [{"name": "mq", "type": "bool"}, {"name": "vectors", "type": "uint32"}], "id": number})
            else:
                send({"return": devices.get(arguments.get("path"), {}), "id": number})
    """

  private static func run(_ fault: String, _ words: String...) throws -> (Outcome, asked: [String]) {
    let folder = try PublicFolder()
    let socket = folder.path + "/qmp"
    let server = try RunningProcess([Programs.python, "-I", "-c", program, socket, fault])
    try server.waitForOutput("SERVER ready")
    let started = ContinuousClock.now
    let outcome = try Programs.run(
      [Programs.mqctl, "attach", "tap0", "--qmp", socket, "--vhost", "off", "--timeout", "1"] + words)
    // An answer's limit, and what mqctl and a busy machine need beside it.
    #expect(ContinuousClock.now - started < .seconds(40), "\(fault)")
    server.kill()
    let asked = try server.wait().out.split(separator: "\n").map(String.init).filter { $0.hasPrefix("ASKED ") }
    try ShownDevice.idle("tap0")
    return (outcome, asked)
  }

  private static let faults: [(String, String)] = [
    ("silent", "the greeting: the hypervisor did not answer in 1 s"), ("close", "ended the connection"),
    ("half", "did not answer in 1 s"), ("half-close", "ended the connection"), ("garbage", "220 mail.example.org"),
    ("no-greeting", "is no answer"), ("endless", "a line of more than 1048576 bytes"),
    ("events", "qmp_capabilities: the hypervisor did not answer in 1 s"), ("capabilities", "qmp_capabilities: no"),
    ("wrong-id", "an answer to another command"),
    ("stall-getfd", "getfd mqctl-tap0-tap-0: the hypervisor did not answer"),
    ("half-netdev_add", "netdev_add mqctl-tap0: the hypervisor did not answer"),
    ("close-device_add", "device_add tap0: the hypervisor ended the connection"), ("deep-qom-list", "is no answer"),
  ]

  @Test func serversThatMeanNoGood() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      for (fault, says) in Self.faults {
        let (outcome, _) = try Self.run(fault)
        #expect(outcome.code == 1, "\(fault): \(outcome)")
        outcome.expectOneError(saying: says)
      }
    }
  }

  /// A refusal at each step that changes something: the steps before it are undone in reverse, and the words are one line.
  @Test(arguments: ["getfd", "netdev_add", "device_add"]) func refusedAt(_ step: String) async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let (outcome, asked) = try Self.run("refuse-\(step)")
      #expect(outcome.code == 1)
      outcome.expectOneError(saying: "\(step) ", ": not today [31m xxx", "undone")
      #expect(outcome.err.utf8.count < 700)
      // The probes for leftovers come before the first getfd; what comes after the refusal undoes.
      let changes = asked.compactMap { line -> String? in
        let words = line.split(separator: " ").map(String.init)
        return words[1] == "getfd" || words[1] == "netdev_add" || words[1] == "device_add" ? words[1] : nil
      }
      let index = try #require(asked.lastIndex { $0.hasPrefix("ASKED \(step) ") })
      let undone = asked[(index + 1)...].map { $0.split(separator: " ")[1] }
      switch step {
      case "getfd": #expect(changes == ["getfd"] && undone.isEmpty, "\(asked)")
      default:
        #expect(undone == ["netdev_del", "closefd", "closefd"], "\(asked)")
        #expect(asked[index + 2].contains("mqctl-tap0-tap-1") && asked[index + 3].contains("mqctl-tap0-tap-0"))
      }
    }
  }

  /// A netdev of the name that somebody else has made meanwhile is not taken for one's own.
  @Test func somebodyElsesNetdev() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let (outcome, asked) = try Self.run("duplicate")
      #expect(outcome.code == 1)
      outcome.expectOneError(saying: "Duplicate ID", "undone")
      #expect(asked.suffix(3).map { $0.split(separator: " ")[1] } == ["netdev_add", "closefd", "closefd"], "\(asked)")
    }
  }

  /// What is handed over: a descriptor with each getfd, and the arguments that QEMU takes.
  @Test func whatIsAsked() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", "--mac", "fe:54:00:77:00:01", exits: 0)
      let (outcome, asked) = try Self.run("none", "--device", "virtio-net-pci,vectors=0,bus=rp7", "--id", "net5")
      #expect(outcome.code == 0, "\(outcome)")
      #expect(
        asked.suffix(4) == [
          #"ASKED getfd 1 {"fdname": "mqctl-tap0-tap-0"}"#, #"ASKED getfd 1 {"fdname": "mqctl-tap0-tap-1"}"#,
          #"ASKED netdev_add 0 {"fds": "mqctl-tap0-tap-0:mqctl-tap0-tap-1", "id": "mqctl-tap0", "type": "tap", "vhost": false}"#,
          #"ASKED device_add 0 {"bus": "rp7", "driver": "virtio-net-pci", "id": "net5", "mac": "52:54:00:77:00:01", "#
            + #""mq": true, "netdev": "mqctl-tap0", "vectors": 0}"#,
        ], "\(asked)")
    }
  }

  /// What cannot be taken back is said.
  @Test func whatCannotBeUndone() async throws {
    try await FreshNamespace.run {
      try mqctl("create", "tap0", "--pairs", "2", exits: 0)
      let (outcome, _) = try Self.run("refuse-all-device_add")
      #expect(outcome.code == 1)
      outcome.expectOneError(saying: "device_add tap0: broken", "left behind is netdev_del mqctl-tap0: broken")
      let (lie, _) = try Self.run("lie")
      // Whatever it says yes to: no list of devices, no property mq.
      #expect(lie.code == 2, "\(lie)")
    }
  }

  @Test(arguments: [
    ([], "say which hypervisor"), (["--qmp", "/a", "--cloud-hypervisor", "/b"], "say which hypervisor"),
    (["--qmp", "/a", "--timeout", "0"], "--timeout 0"), (["--qmp", "/a", "--id", "1a"], "--id '1a'"),
    (["--qmp", "/a", "--pairs", "0"], "--pairs 0"), (["--qmp", "/a", "--device", "x,id=1"], "'id' is set by mqctl"),
    (["--cloud-hypervisor", "/a", "--device", "x"], "--device is QEMU's"),
    (["--cloud-hypervisor", "/a", "--vhost", "require"], "no vhost-net of its own"),
    (["--qmp", "/a", "--vhost-user", "/b", "--vhost", "off"], "--vhost is for the tap's own queues"),
  ])
  func wordsThatMeanNothing(_ words: [String], _ says: String) throws {
    let outcome = try Programs.run([Programs.mqctl, "attach", "tap0"] + words)
    #expect(outcome.code == 2, "\(outcome)")
    outcome.expectOneError(saying: says)
  }
}
