import Foundation
import LinuxIOTesting
import Testing

/// What docs/provisioning.md and examples/devices.yaml show, from their text.
extension TunTests {
  @Suite struct ProvisioningText {
    /// Each ```sh block is run, and prints what the block without a word behind it shows.
    @Test func theWorkedExample() async throws {
      let text = try String(contentsOfFile: "\(Programs.root)/docs/provisioning.md", encoding: .utf8)
      let blocks = text.components(separatedBy: "\n```").enumerated().filter { !$0.offset.isMultiple(of: 2) }
        .map(\.element)
      let folder = try PublicFolder()
      let path = folder.path
      let ran = try await FreshNamespace.run {
        var ran = 0
        for (index, block) in blocks.enumerated() where block.hasPrefix("sh\n") {
          let tools = URL(fileURLWithPath: Programs.mqctl).deletingLastPathComponent().path
          let outcome = try Programs.run(["sh", "-ec", "cd \(path); PATH=\(tools):$PATH\n\(block.dropFirst(3))"])
          #expect(outcome.code == 0 && outcome.err.isEmpty, "\(block)\n\(outcome)")
          let shown = index + 1 < blocks.count && blocks[index + 1].hasPrefix("\n") ? blocks[index + 1].dropFirst() : ""
          #expect(outcome.out == shown + "\n", "\(block)")
          ran += 1
        }
        return ran
      }
      #expect(ran == 3)
    }

    @Test func theExample() async throws {
      try await FreshNamespace.run {
        let example = "\(Programs.root)/examples/devices.yaml"
        try mqctl("apply", example, exits: 1).expectOneError(saying: "br0", "ip link add br0 type bridge")
        try ip("link", "add", "br0", "type", "bridge")
        #expect(try mqctl("apply", example, exits: 0).out.hasSuffix("\n3 created\n"))
        #expect(try mqctl("plan", example, "--prune", exits: 0).out == "nothing to do: 3 as wanted\n")
        let devices = try ShownDevice.all()
        #expect(devices.map(\.name) == ["web0", "db0", "lab0"] && devices.map(\.pairs) == [4, 8, 2])
        #expect(devices.map(\.bridge) == ["br0", "br0", nil] && devices[1].owner == Programs.nobody)
      }
    }
  }
}
