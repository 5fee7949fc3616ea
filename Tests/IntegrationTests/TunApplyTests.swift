import Foundation
import Glibc
import LinuxIO
import LinuxIOTesting
import Testing

/// `mqctl apply`, `plan` and `export`, as a user runs them.
extension TunTests {
  @Suite struct Apply {
    /// A file of devices, gone with the test.
    final class DeviceFile {
      private let folder: PublicFolder
      var path: String { "\(folder.path)/devices.yaml" }

      init(_ text: String = "devices: []") throws {
        folder = try PublicFolder()
        try write(text)
      }

      func write(_ text: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
      }
    }

    @Test func theSecondTimeChangesNothing() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        let file = try DeviceFile(
          """
          devices:
          - {name: tap0, pairs: 4, mtu: 9000, bridge: br0, owner: 5, group: 6, mac: "02:00:00:00:00:01"}
          - {name: tap1, pairs: 8, addresses: [192.0.2.1/24, "2001:db8::1/64"]}
          - {name: tap2, pairs: 1, down: true, qdisc: default}
          """)
        let plan = try mqctl("plan", file.path, exits: 10)
        #expect(plan.out == "+ tap0: 4 queue pair(s)\n+ tap1: 8 queue pair(s)\n+ tap2: 1 queue pair(s)\n")
        try expectLinks(["br0", "lo"])
        #expect(try mqctl("apply", file.path, exits: 0).out == plan.out + "3 created\n")
        let made = try ShownDevice.all()
        #expect(made.map(\.name) == ["tap0", "tap1", "tap2"] && made.map(\.pairs) == [4, 8, 1])
        #expect(made[0].bridge == "br0" && made[0].owner == 5 && made[0].group == 6 && made[0].mtu == 9000)
        #expect(made[1].addresses == ["192.0.2.1/24", "2001:db8::1/64"] && made[1].owner == 0)
        #expect(made.map(\.up) == [true, true, false] && made[1].qdisc == "noqueue" && made[2].qdisc != "noqueue")
        for words in [["plan", file.path], ["plan", file.path, "--prune"]] {
          let outcome = try Programs.run([Programs.mqctl] + words)
          #expect(outcome.code == 0 && outcome.out == "nothing to do: 3 as wanted\n", "\(outcome)")
        }
        #expect(try mqctl("apply", file.path, "--prune", exits: 0).out == "3 as wanted\n")
        #expect(try ShownDevice.all() == made)
      }
    }

    /// What can be changed where it stands keeps its ifindex; the rest is replaced.
    @Test func changes() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        let file = try DeviceFile("devices: [{name: tap0, pairs: 4}]")
        try mqctl("apply", file.path, exits: 0)
        let index = try ShownDevice.named("tap0").index
        let inPlace: [(words: String, said: String)] = [
          ("pairs: 8", "pairs is 4, asked for 8"), ("pairs: 8, mtu: 9000", "mtu is 1500, asked for 9000"),
          ("pairs: 8, mac: '02:00:00:00:00:09'", "mtu is 9000, asked for 1500"),
          ("pairs: 8, bridge: br0", "bridge is none, asked for br0"),
          ("pairs: 8, addresses: [192.0.2.1/24, '2001:db8::1/64']", "bridge is br0, asked for none"),
          // A link that goes down loses its IPv6 addresses, and gets them back.
          ("pairs: 8, down: true, addresses: [192.0.2.2/24, '2001:db8::1/64']", "state is up, asked for down"),
          ("pairs: 8, addresses: ['2001:db8::2/64']", "state is down, asked for up"),
          // Below IPv6's least MTU there are none.
          ("pairs: 8, mtu: 1000, addresses: [192.0.2.1/24]", "mtu is 1500, asked for 1000"),
          ("pairs: 8, addresses: ['2001:db8::2/64']", "mtu is 1000, asked for 1500"),
          ("pairs: 8, owner: 5", "owner is 0, asked for 5"),
          ("pairs: 8, owner: 6, group: 7", "group is none, asked for 7"),
        ]
        for (words, said) in inPlace {
          try file.write("devices: [{name: tap0, \(words)}]")
          let outcome = try mqctl("apply", file.path, exits: 0)
          #expect(outcome.out.hasPrefix("~ tap0: ") && outcome.out.hasSuffix("\n1 changed\n"), "\(words): \(outcome)")
          #expect(outcome.out.contains(said), "\(words): \(outcome)")
          #expect(try mqctl("plan", file.path).code == 0, "\(words)")
          #expect(try ShownDevice.named("tap0").index == index, "\(words)")
        }
        for words in ["pairs: 8, qdisc: default", "pairs: 8, group: 7", "pairs: 8"] {
          let before = try ShownDevice.named("tap0").index
          try file.write("devices: [{name: tap0, \(words)}]")
          let outcome = try mqctl("apply", file.path, exits: 0)
          #expect(outcome.out.contains("(to be replaced)\n1 replaced\n"), "\(outcome)")
          #expect(try ShownDevice.named("tap0").index != before)
          #expect(try mqctl("plan", file.path).code == 0, "\(words)")
        }
      }
    }

    /// A change in place that the kernel refuses half-way.
    @Test func aChangeThatFailsIsUndone() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        let file = try DeviceFile("devices: [{name: tap0, pairs: 4, addresses: ['2001:db8::1/64', 192.0.2.1/24]}]")
        try mqctl("apply", file.path, exits: 0)
        let before = try ShownDevice.named("tap0")
        try file.write(
          "devices: [{name: tap0, pairs: 9, mtu: 1000, bridge: br0, addresses: ['2001:db8::2/64', 192.0.2.2/24]}]")
        let outcome = try mqctl("apply", file.path)
        #expect(outcome.code != 0)
        outcome.expectOneError(saying: "tap0", "RTM_NEWADDR")
        #expect(try ShownDevice.named("tap0") == before)
      }
    }

    @Test func prune() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "old0", "--pairs", "2", exits: 0)
        try mqctl("create", "old1", "--pairs", "2", exits: 0)
        try ip("tuntap", "add", "foreign", "mode", "tap", "multi_queue")
        let file = try DeviceFile("devices: [{name: tap0, pairs: 1}]")
        #expect(try mqctl("apply", file.path, exits: 0).out == "+ tap0: 1 queue pair(s)\n1 created\n")
        let plan = try mqctl("plan", file.path, "--prune", exits: 10)
        #expect(plan.out == "- old0: no file names it\n- old1: no file names it\n")
        let holder = try startMqctl("exec", "old1", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        try file.write("devices: [{name: tap0, pairs: 9}]")
        try mqctl("apply", file.path, "--prune", exits: 3).expectOneError(saying: "old1", "pid \(holder.processID)")
        #expect(try ShownDevice.named("tap0").pairs == 1, "all is looked at before anything is changed")
        try expectLinks(["foreign", "lo", "old0", "old1", "tap0"])
        let forced = try mqctl("apply", file.path, "--prune", "--force", exits: 0)
        #expect(forced.out.hasSuffix("1 changed, 2 removed\n"))
        try expectLinks(["foreign", "lo", "tap0"])
        #expect(!(try ip("-d", "link")).contains("group 1"), "a group of ours is left")
        holder.kill()
      }
    }

    @Test func whatIsRefusedChangesNothing() async throws {
      try await FreshNamespace.run {
        try ip("tuntap", "add", "foreign", "mode", "tap", "multi_queue", "vnet_hdr")
        try ip("link", "add", "veth0", "type", "veth", "peer", "veth1")
        try mqctl("create", "held", "--pairs", "2", exits: 0)
        let holder = try startMqctl("exec", "held", "--vhost", "off", "--", "sh", "-c", "echo ready; exec sleep 600")
        try holder.waitForOutput("ready")
        let links = try linkNames()
        let refused: [(words: String, code: CInt, said: String)] = [
          ("{name: foreign, pairs: 1}", 3, "not made by mqctl"), ("{name: veth0, pairs: 1}", 3, "veth0"),
          ("{name: tap1, pairs: 1, bridge: br9}", 1, "br9"), ("{name: tap1, pairs: 1, bridge: veth0}", 3, "veth0"),
          ("{name: held, pairs: 2, qdisc: default}", 3, "pid \(holder.processID)"),
          ("{name: held, pairs: 2, owner: 5}", 3, "pid \(holder.processID)"),
          ("{name: tap1, pairs: 1, netns: no-such-namespace}", 1, "no-such-namespace"),
          ("{name: tap0, pairs: 1, netns: /proc/self/ns/net}", 2, "tap0"),
        ]
        let file = try DeviceFile()
        for (words, code, said) in refused {
          try file.write("devices:\n- {name: tap0, pairs: 1}\n- \(words)\n")
          let outcome = try mqctl("apply", file.path)
          #expect(outcome.code == code, "\(words): \(outcome)")
          outcome.expectOneError(saying: said)
          #expect(try linkNames() == links, "\(words)")
        }
        // What can be changed in place can be so while it is held.
        try file.write("devices: [{name: held, pairs: 3, mtu: 1400}]")
        #expect(try mqctl("apply", file.path, exits: 0).out.hasSuffix("\n1 changed\n"))
        try file.write("devices: [{name: foreign, pairs: 1}]")
        #expect(try mqctl("apply", file.path, "--force", exits: 0).out.hasSuffix("\n1 replaced\n"))
        for arguments in [[file.path + "x"], ["/proc/self/mem"], ["/"]] {
          let outcome = try Programs.run([Programs.mqctl, "apply"] + arguments)
          #expect(outcome.code == 1, "\(outcome)")
          outcome.expectOneError(saying: arguments[0])
        }
        holder.kill()
      }
    }

    @Test func jsonLines() async throws {
      struct Line: Decodable {
        struct Difference: Decodable { let field: String, existing: String, wanted: String }
        let event: String
        let name: String?
        let differences: [Difference]?
        let created: Int?
        let changed: Int?
        let removed: Int?
      }
      try await FreshNamespace.run {
        let file = try DeviceFile(#"{"devices": [{"name": "tap0", "pairs": 1}, {"name": "tap1", "pairs": 1}]}"#)
        try mqctl("apply", file.path, exits: 0)
        try file.write(#"{"devices": [{"name": "tap0", "pairs": 2}, {"name": "tap2", "pairs": 1}]}"#)
        struct Planned: Decodable { let steps: [Line], unchanged: Int }
        let planned = try JSONDecoder().decode(
          Planned.self, from: Data(mqctl("plan", file.path, "--prune", "--json", exits: 10).out.utf8))
        #expect(planned.steps.map(\.event) == ["change", "create", "remove"] && planned.unchanged == 0)
        let outcome = try mqctl("apply", file.path, "--prune", "--json", exits: 0)
        let lines = try outcome.out.split(separator: "\n").map {
          try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.event) == ["changed", "created", "removed", "done"], "\(outcome)")
        #expect(lines.map(\.name) == ["tap0", "tap2", "tap1", nil])
        let difference = try #require(lines[0].differences?.first)
        #expect(difference.field == "pairs" && difference.existing == "1" && difference.wanted == "2")
        #expect(lines[3].created == 1 && lines[3].changed == 1 && lines[3].removed == 1)
        try file.write("devices: 5")
        let failed = try mqctl("apply", file.path, "--json", exits: 2)
        #expect(
          try ShownError(failed).error.message == "\(file.path):1: devices: the number 5 stands where a list belongs")
      }
    }

    @Test func exportIsWhatThereIs() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        try ip("tuntap", "add", "foreign", "mode", "tap")
        let words = [
          ["tap0", "--pairs", "4", "--owner", "5", "--group", "6", "--mtu", "9000", "--bridge", "br0"],
          ["tap1", "--pairs", "256", "--address", "192.0.2.1/24", "--address", "2001:db8::1/64", "--qdisc", "default"],
          ["1e3", "--pairs", "1", "--down", "--group", "7"],
        ]
        for words in words {
          #expect(try Programs.run([Programs.mqctl, "create"] + words).code == 0)
        }
        let file = try DeviceFile()
        for format in [[], ["--json"]] {
          let export = try Programs.run([Programs.mqctl, "export"] + format)
          #expect(export.code == 0 && !export.out.contains("foreign"), "\(export)")
          try file.write(export.out)
          #expect(try mqctl("plan", file.path, "--prune").out == "nothing to do: 3 as wanted\n", "\(export)")
        }
        let made = try ShownDevice.all()
        for device in made where device.name != "foreign" { try mqctl("delete", device.name, exits: 0) }
        try mqctl("apply", file.path, exits: 0)
        #expect(
          try ShownDevice.all().map(\.mac).sorted { $0 ?? "" < $1 ?? "" }
            == made.map(\.mac).sorted { $0 ?? "" < $1 ?? "" })
      }
    }

    /// The options of `mqctl serve` come from a file, and are written into one while it runs.
    @Test func howATapIsServed() async throws {
      try await FreshNamespace.run {
        let folder = try PublicFolder()
        let socket = "\(folder.path)/tap0.sock"
        let file = try DeviceFile(
          """
          devices:
          - {name: tap1, pairs: 1}
          - name: tap0
            pairs: 3
            serve: {socket: \(socket), pairs: 2, user: nobody, socket-mode: "660", socket-group: 7, datapath: userspace}
          """)
        try mqctl("apply", file.path, exits: 0)
        try mqctl("serve", "tap0", "--from", file.path, "--socket", "/x", exits: 2).expectOneError(saying: "--from")
        try mqctl("serve", "tap1", "--from", file.path, exits: 2).expectOneError(saying: "\(file.path):2", "tap1")
        try mqctl("serve", "tap2", "--from", file.path, exits: 2).expectOneError(saying: "tap2")
        for _ in 0..<2 {
          let server = try startMqctl("serve", "tap0", "--from", file.path)
          try server.waitForErrors("2 pair(s) at \(socket)")
          let export = try mqctl("export", exits: 0).out
          let serve = """
                serve:
                  socket: \(socket)
                  pairs: 2
                  user: "65534"
                  socket-mode: "660"
                  socket-group: "7"
                  datapath: userspace

            """
          #expect(export.hasSuffix(serve), "\(export)")
          server.kill(SIGTERM)
          #expect(try server.wait().code == 0)
          // The second time by what was written.
          try file.write(export)
          #expect(try mqctl("plan", file.path, exits: 0).out == "nothing to do: 2 as wanted\n")
        }
        #expect(!(try mqctl("export", exits: 0).out.contains("serve")))
      }
    }

    @Test func namespaces() async throws {
      try await FreshNamespace.run {
        let one = try NamedNamespace()
        let two = try NamedNamespace()
        let file = try DeviceFile(
          """
          devices:
          - {name: tap0, pairs: 1}
          - {name: tap0, pairs: 2, netns: \(one.name)}
          - {name: tap0, pairs: 3, netns: /run/netns/\(two.name)}
          """)
        #expect(try mqctl("apply", file.path, exits: 0).out.hasSuffix("\n3 created\n"))
        #expect(try ShownDevice.named("tap0").pairs == 1)
        for (namespace, pairs) in [(one, 2), (two, 3)] {
          #expect(try namespace.run(Programs.mqctl, "list", "--json").out.contains("\"pairs\":\(pairs)"))
        }
        #expect(try mqctl("plan", file.path, "--prune").code == 0)
        let export = try mqctl("export", "--netns", one.name, exits: 0)
        try file.write(export.out)
        #expect(try mqctl("plan", file.path, exits: 0).out == "nothing to do: 1 as wanted\n")
        try file.write("devices: [{name: tap1, pairs: 1, netns: \(one.name)}, {name: tap0, pairs: 1}]")
        #expect(try mqctl("apply", file.path, "--prune", exits: 0).out.hasSuffix("1 created, 1 removed, 1 as wanted\n"))
        // Nobody named the other.
        #expect(try two.run(Programs.mqctl, "list", "--json").out.contains("tap0"))
      }
    }
  }
}
