import Orchestrator
import TapMQ
import Testing

@testable import Provisioning

/// What files mean.
struct ManifestTests {
  static let names = Manifest.Names(
    user: { $0 == "vm" ? 1000 : number($0) }, group: { $0 == "vms" ? 2000 : number($0) })

  private static func number(_ word: String) -> UInt32? { UInt32(word).flatMap { $0 == .max ? nil : $0 } }

  static func manifest(_ texts: String...) throws -> Manifest {
    try Manifest(
      texts.enumerated().map { Manifest.File(name: "file\($0)", bytes: Array($1.utf8)) }, names: names)
  }

  @Test func everyKey() throws {
    let entry = try #require(
      try Self.manifest(
        """
        devices:
        - name: tap0
          pairs: 4
          owner: vm
          group: 7
          mac: 02:00:00:00:00:01
          mtu: 9000
          bridge: br0
          addresses:
          - 192.0.2.1/24
          - 2001:db8::1/64
          netns: blue
          down: true
          qdisc: default
          backpressure: true
          serve:
            socket: /run/vm/tap0.sock
            pairs: 2
            user: vm
            socket-mode: "660"
            socket-group: vms
            datapath: userspace
            busy-poll-us: 50
        """
      ).entries.first)
    #expect(
      entry.spec
        == (try DeviceSpec(
          name: InterfaceName("tap0"), pairs: 4, owner: 1000, group: 7, mac: MACAddress("02:00:00:00:00:01"), mtu: 9000,
          bridge: InterfaceName("br0"),
          addresses: [InterfaceAddress("192.0.2.1/24"), InterfaceAddress("2001:db8::1/64")], isUp: false,
          qdisc: .default,
          backpressure: true)))
    #expect(entry.namespace == "blue" && entry.file == "file0" && entry.line == 2)
    #expect(
      entry.serve
        == ServeSpec(
          socket: "/run/vm/tap0.sock", pairs: 2, user: "vm", socketMode: "660", socketGroup: "vms",
          datapath: .userspace, busyPoll: 50))
  }

  /// As `mqctl create` without a word more.
  @Test func aNameAndPairs() throws {
    let entry = try #require(try Self.manifest("devices: [{name: tap0, pairs: 1}]").entries.first)
    #expect(entry.spec == (try DeviceSpec(name: InterfaceName("tap0"), pairs: 1, owner: 0)))
    #expect(entry.namespace == nil && entry.serve == nil)
    let grouped = try #require(try Self.manifest("devices: [{name: tap0, pairs: 1, group: vms}]").entries.first)
    #expect(grouped.spec.owner == nil && grouped.spec.group == 2000)
    #expect(try Self.manifest("devices: []").entries.isEmpty)
  }

  /// JSON's own ways: escaped slashes, surrogates, tabs, no spaces, a byte order mark.
  @Test func json() throws {
    let text = "\u{FEFF}\t{\r\n\t\"devices\":[{\"name\":\"\\ud83d\\ude00\\u0041\\\\\"\n,\"pairs\":1}]}"
    let problem = #expect(throws: ManifestProblem.self) { try Self.manifest(text) }
    #expect(problem?.line == 2 && problem?.what.contains("'😀A\\'") == true, "\(String(describing: problem))")
    let serve = #"{"devices":[{"name":"tap0","pairs":1,"serve":{"socket":"\/run\/\ud83d\ude00\\ud83d"}}],"#
    let whole = serve.dropLast() + "}"
    #expect(try Self.manifest(String(whole)).entries.first?.serve?.socket == #"/run/😀\ud83d"#)
    // Half a pair is no character.
    let half = #expect(throws: ManifestProblem.self) { try Self.manifest(#"{"devices": "\ud83d"}"#) }
    #expect(half?.line == 1)
  }

  @Test func twoFiles() throws {
    let one = "devices: [{name: tap0, pairs: 4, serve: {socket: /a}}]"
    #expect(
      try Self.manifest(one, one, "devices: [{name: tap1, pairs: 4}]").entries.map(\.spec.name.description) == [
        "tap0", "tap1",
      ])
    // The same name in another namespace is another device.
    #expect(
      try Self.manifest("devices: [{name: tap0, pairs: 1}, {name: tap0, pairs: 1, netns: blue}]").entries.count == 2)
    let contradictions = [
      ("pairs: 5", "pairs is 4 there, 5 here"), ("pairs: 4, mtu: 9000", "mtu is 1500 there, 9000 here"),
      ("pairs: 4, owner: 5", "owner is 0 there, 5 here"), ("pairs: 4, down: true", "down is false there, true here"),
      ("pairs: 4, serve: {socket: /b}", "serve is another there"),
    ]
    for (words, said) in contradictions {
      let problem = #expect(throws: ManifestProblem.self) {
        try Self.manifest(one, "devices:\n- {name: tap0, \(words)}")
      }
      #expect(problem?.description == "file1:2: tap0: file0:1 contradicts it: \(said)")
      #expect(problem?.mend != nil)
    }
    let socket = #expect(throws: ManifestProblem.self) {
      try Self.manifest(one, "devices: [{name: tap1, pairs: 4, serve: {socket: /a}}]")
    }
    #expect(socket?.description == "file1:1: tap1.serve.socket: tap0 has it already, by file0:1")
  }

  /// Each is named by its line and its key, and says the mend.
  @Test(arguments: [
    ("[]", 1, nil, "a map belongs here"), ("a: 1", 1, "a", "no such key"), ("{}", 1, nil, "no 'devices'"),
    ("", 1, nil, "empty"), ("# nothing\n", 2, nil, "empty"),
    ("devices:\n", 1, "devices", "nothing stands where a list"),
    ("devices:\n- 5", 2, "devices[0]", "the number 5"), ("devices:\n- name: a", 2, "devices[0]", "no 'pairs'"),
    ("devices:\n- name: a\n  pairs: 1\n  pears: 1", 4, "devices[0].pears", "no such key"),
    ("devices:\n- name: a\n  pairs: 1\n  pairs: 1", 4, "pairs", "in line 3"),
    ("devices:\n- name: a\n  pairs: 0", 3, "devices[0].pairs", "out of range"),
    ("devices:\n- name: a\n  pairs: 257", 3, "devices[0].pairs", "out of range"),
    ("devices:\n- name: a\n  pairs: 99999999999999999999", 3, "devices[0].pairs", "out of range"),
    ("devices:\n- name: a\n  pairs: 8.0", 3, "devices[0].pairs", "whole number"),
    ("devices:\n- name: a\n  pairs: '8'", 3, "devices[0].pairs", "whole number"),
    ("devices:\n- name: a\n  pairs: 0x8", 3, "devices[0].pairs", "whole number"),
    ("devices:\n- name: a\n  pairs: [8]", 3, "devices[0].pairs", "a list"),
    ("devices:\n- name: 5\n  pairs: 8", 2, "devices[0].name", "text"),
    ("devices:\n- name: true\n  pairs: 8", 2, "devices[0].name", "text"),
    ("devices:\n- name: averylongname123\n  pairs: 8", 2, "devices[0].name", "15 at most"),
    ("devices:\n- {name: a, pairs: 8, mtu: 67}", 2, "devices[0].mtu", "out of range"),
    ("devices:\n- {name: a, pairs: 8, mac: '01:00:00:00:00:00'}", 2, "devices[0].mac", "multicast"),
    ("devices:\n- {name: a, pairs: 8, bridge: 'b/r'}", 2, "devices[0].bridge", "may not hold"),
    ("devices:\n- {name: a, pairs: 8, owner: none}", 2, "devices[0].owner", "no user 'none'"),
    ("devices:\n- {name: a, pairs: 8, owner: -1}", 2, "devices[0].owner", "text"),
    ("devices:\n- {name: a, pairs: 8, group: none}", 2, "devices[0].group", "no group 'none'"),
    ("devices:\n- {name: a, pairs: 8, down: yes}", 2, "devices[0].down", "truth value"),
    ("devices:\n- {name: a, pairs: 8, qdisc: fq}", 2, "devices[0].qdisc", "no choice"),
    ("devices:\n- {name: a, pairs: 8, qdisc: noqueue, backpressure: true}", 2, "devices[0].qdisc", "backpressure"),
    ("devices:\n- {name: a, pairs: 8, addresses: 192.0.2.1/24}", 2, "devices[0].addresses", "a list"),
    ("devices:\n- {name: a, pairs: 8, addresses: [192.0.2.0/24]}", 2, "devices[0].addresses[0]", "names a network"),
    (
      "devices:\n- name: a\n  pairs: 8\n  addresses:\n  - 192.0.2.1\n  - 192.0.2.1/32", 6, "devices[0].addresses[1]",
      "already"
    ),
    ("devices:\n- {name: a, pairs: 8, serve: /x}", 2, "devices[0].serve", "a map"),
    ("devices:\n- {name: a, pairs: 8, serve: {user: 5}}", 2, "devices[0].serve", "no 'socket'"),
    ("devices:\n- {name: a, pairs: 8, serve: {socket: x}}", 2, "devices[0].serve.socket", "no place"),
    ("devices:\n- {name: a, pairs: 200, serve: {socket: /x}}", 2, "devices[0].serve.socket", "200 pairs"),
    ("devices:\n- {name: a, pairs: 200, serve: {socket: /x, pairs: 129}}", 2, "devices[0].serve.pairs", "out of range"),
    (
      "devices:\n- {name: a, pairs: 8, serve: {socket: /x, socket-mode: 660}}", 2, "devices[0].serve.socket-mode",
      "text"
    ),
    (
      "devices:\n- {name: a, pairs: 8, serve: {socket: /x, socket-mode: '680'}}", 2, "devices[0].serve.socket-mode",
      "680"
    ),
    (
      "devices:\n- {name: a, pairs: 8, serve: {socket: /x, datapath: kernel, busy-poll-us: 5}}", 2,
      "devices[0].serve.busy-poll-us", "does not look"
    ),
    ("devices:\n- {name: a, pairs: 8}\n- {name: b, pairs: 8}\n- {name: a, pairs: 8}", 4, "a", "line 2"),
    ("devices:\n- &a {name: a, pairs: 8}\n- *a", 2, nil, "anchor"), ("devices:\n- *a", 2, nil, "alias"),
    ("devices: !!set {}", 1, nil, "tag"), ("devices: []\n---\ndevices: []", 2, nil, "second document"),
    ("devices:\n\t- a", 2, nil, "no YAML"), ("devices: [", 2, nil, "no YAML"), ("devices: []\n1: 2", 2, nil, "no text"),
    ("devices: []\n# \u{1}", 2, nil, "control character"),
  ])
  func problems(_ text: String, _ line: Int, _ key: String?, _ said: String) throws {
    let problem = #expect(throws: ManifestProblem.self) { try Self.manifest(text) }
    #expect(problem?.file == "file0" && problem?.line == line && problem?.key == key, "\(String(describing: problem))")
    #expect(problem?.what.contains(said) == true, "\(String(describing: problem))")
  }

  @Test func theWordThatWasMeant() throws {
    for (word, meant) in [("adresses", "addresses"), ("ower", "owner"), ("Pairs", "pairs"), ("mtuu", "mtu")] {
      let problem = #expect(throws: ManifestProblem.self) {
        try Self.manifest("devices: [{name: a, \(word): 1}]")
      }
      #expect(problem?.mend == "did you mean '\(meant)'?")
    }
    let problem = #expect(throws: ManifestProblem.self) { try Self.manifest("devices: [{name: a, vlan: 1}]") }
    #expect(problem?.mend?.contains("pairs") == true)
  }

  @Test(arguments: ["[", "{a: ", "- ", "? ", "[[],"])
  func tenMegabytesOfNesting(_ word: String) throws {
    let text = String(repeating: word, count: 10 << 20 / word.utf8.count)
    let problem = #expect(throws: ManifestProblem.self) { try Self.manifest(text) }
    #expect(problem?.line == 1 && problem?.what.count ?? 0 < 200, "\(String(describing: problem))")
  }

  @Test func whatIsNotText() throws {
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xFF, 0xFE, 0x5B, 0]] {
      let file = Manifest.File(name: "file", bytes: Array("devices:\n# ".utf8) + bytes)
      let problem = #expect(throws: ManifestProblem.self) { try Manifest([file], names: Self.names) }
      #expect(problem?.line == 2 && problem?.what.contains("not UTF-8") == true, "\(String(describing: problem))")
    }
  }

  /// A manifest that is written is read again as it was.
  @Test func export() throws {
    let spec = try DeviceSpec(
      name: InterfaceName("on"), pairs: 4, owner: 1000, group: 7, mac: MACAddress("02:00:00:00:00:01"), mtu: 9000,
      bridge: InterfaceName("br-0"), addresses: [InterfaceAddress("192.0.2.1/24"), InterfaceAddress("2001:db8::1/64")],
      isUp: false, qdisc: .default)
    let odd = try DeviceSpec(name: InterfaceName("1e3"), pairs: 256, owner: 0, backpressure: true)
    let serve = ServeSpec(
      socket: "/run/\u{1}😀#: x", pairs: 1, user: "5", socketMode: "0660", socketGroup: "a b", datapath: .kernel)
    let written = Manifest.export([(spec, nil), (odd, serve)], namespace: "no")
    let read = try Self.manifest(written.yaml)
    #expect(read.entries.map(\.spec) == [spec, odd] && read.entries.map(\.serve) == [nil, serve], "\(written.yaml)")
    #expect(read.entries.allSatisfy { $0.namespace == "no" })
    #expect(Manifest.export([], namespace: nil).yaml == "devices: []\n")
  }
}
