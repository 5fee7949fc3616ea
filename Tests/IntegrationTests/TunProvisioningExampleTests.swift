import LinuxIOTesting
import Testing

/// What examples/devices.yaml shows. (The tier `docs` of scripts/test runs docs/provisioning.md from its text.)
extension TunTests {
  @Suite struct ProvisioningExample {
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
