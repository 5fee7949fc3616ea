import Foundation
import Glibc
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing

/// Taps that somebody else takes, removes or replaces between the look at all of them and their removal.
extension TunTests {
  @Suite struct DeleteMeanwhile {
    /// `mqctl delete`, held up for two seconds before its nth call of that kind: a look at a name is two of sendmsg, one at all
    /// links is one, and a removal is a sendto.
    private static func delete(_ words: [String], heldUpBefore call: String, _ number: Int) throws -> RunningProcess {
      try RunningProcess(
        [
          "strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
          "inject=\(call):delay_enter=2000000:when=\(number)", Programs.mqctl, "delete",
        ] + words)
    }

    /// `delete tap0 tap1`, with something done to tap0 when both were looked at.
    private static func deleteTwo(
      _ words: String..., at location: SourceLocation = #_sourceLocation, meanwhile: () throws -> Void
    ) throws -> Outcome {
      for name in ["tap0", "tap1"] { try mqctl("create", name, "--pairs", "2", exits: 0) }
      let process = try delete(["tap0", "tap1"] + words, heldUpBefore: "sendmsg", 5)
      usleep(700_000)
      // Two seconds are enough for what is done.
      try expectLinks(["lo", "tap0", "tap1"], at: location)
      try meanwhile()
      return try process.wait()
    }

    /// Somebody with queues of taps, until it lets them go.
    private final class Holder {
      private var queues: [FileDescriptor] = []

      func take(_ name: String) throws { queues.append(try RawTap.queue(name).release()) }

      func letGo() throws {
        for queue in queues { try queue.close() }
        queues = []
      }

      deinit { try? letGo() }
    }

    private struct Deleted: Decodable {
      let deleted: [String]
      let absent: [String]

      init(_ outcome: Outcome) throws {
        self = try JSONDecoder().decode(Deleted.self, from: Data(outcome.out.utf8))
      }
    }

    @Test func takenMeanwhile() async throws {
      try await FreshNamespace.run {
        let holder = Holder()
        let refused = try Self.deleteTwo { try holder.take("tap0") }
        #expect(refused.code == 3)
        refused.expectOneError(saying: "tap0 has 1 open queue(s)")
        try expectLinks(["lo", "tap0", "tap1"])
        #expect(try ShownDevice.named("tap0").attachedQueues == 1)
        try holder.letGo()
        try ShownDevice.idle("tap0")
        let forced = try Self.deleteTwo("--force") { try holder.take("tap0") }
        #expect(forced.code == 0 && forced.out == "tap0: deleted\ntap1: deleted\n", "\(forced)")
        try expectLinks(["lo"])
        try holder.letGo()
      }
    }

    @Test func replacedMeanwhile() async throws {
      try await FreshNamespace.run {
        // By another that one 'delete' of it would remove.
        let ours = try Self.deleteTwo { try mqctl("create", "tap0", "--pairs", "3", "--replace", exits: 0) }
        #expect(ours.code == 0 && ours.out == "tap0: deleted\ntap1: deleted\n", "\(ours)")
        try expectLinks(["lo"])
        // And by one that it would refuse.
        let others = try Self.deleteTwo {
          try ip("link", "delete", "tap0")
          try ip("tuntap", "add", "tap0", "mode", "tap")
        }
        #expect(others.code == 3)
        others.expectOneError(saying: "tap0 was not made by mqctl")
        try expectLinks(["lo", "tap0", "tap1"])
      }
    }

    @Test func removedMeanwhile() async throws {
      try await FreshNamespace.run {
        let outcome = try Self.deleteTwo { try ip("link", "delete", "tap0") }
        #expect(outcome.code == 0 && outcome.out == "tap1: deleted\ntap0: there was none\n", "\(outcome)")
        try expectLinks(["lo"])
        // After the last look, too.
        for name in ["tap0", "tap1"] { try mqctl("create", name, "--pairs", "2", exits: 0) }
        let late = try Self.delete(["tap0", "tap1", "--json"], heldUpBefore: "sendto", 1)
        usleep(700_000)
        try ip("link", "delete", "tap1")
        let deleted = try Deleted(late.wait())
        #expect(deleted.deleted == ["tap0"] && deleted.absent == ["tap1"], "\(deleted)")
        try expectLinks(["lo"])
      }
    }

    /// The second batch is refused: what the first one removed is said.
    @Test(arguments: [[], ["--json"]]) func whatIsGoneIsSaid(_ words: [String]) async throws {
      try await FreshNamespace.run {
        let names = (0..<260).map { "tap\($0)" }
        let list = names.map { "{name: \($0), pairs: 1}" }.joined(separator: ", ")
        let file = try Apply.DeviceFile("devices: [\(list)]")
        try mqctl("apply", file.path, exits: 0)
        // Two for each name, and a look for each batch.
        let process = try Self.delete(names + words, heldUpBefore: "sendmsg", 2 * names.count + 2)
        let isGone = try eventually { try !linkNames().contains("tap255") }
        #expect(isGone)
        let holder = Holder()
        try holder.take("tap259")
        let outcome = try process.wait()
        #expect(outcome.code == 3, "\(outcome)")
        let said = "tap259 has 1 open queue(s)"
        if words.isEmpty {
          #expect(outcome.out == names.prefix(256).map { "\($0): deleted\n" }.joined(), "\(outcome)")
          #expect(outcome.err.hasPrefix("mqctl: \(said)") && outcome.err.contains("; deleted by then: 256 of 260; "))
          #expect(outcome.err.filter { $0 == "\n" }.count == 1, "\(outcome)")
        } else {
          #expect(try Deleted(outcome).deleted == Array(names.prefix(256)))
          let error = try ShownError(outcome).error
          #expect(error.message.hasPrefix(said) && error.message.hasSuffix("; deleted by then: 256 of 260"))
        }
        try expectLinks(["lo"] + names.suffix(4).sorted())
        try holder.letGo()
      }
    }

    /// tap0 to tap3, and the plan to remove them.
    private static func removal() throws -> Plan {
      for number in 0..<4 { try TapFixture.make(DeviceSpec(name: InterfaceName("tap\(number)"), pairs: 1)) }
      return Plan([], on: try TapFixture.tools().survey(), prune: true)
    }

    private static func carryOut(_ plan: Plan, force: Bool) throws(OrchestratorError) -> [String] {
      guard let tools = try? TapFixture.tools() else { return [] }
      var told: [String] = []
      try plan.carryOut(through: tools, force: force) { told.append("\($0.name) \($1)") }
      return told.sorted()
    }

    /// What `apply --prune` was to remove.
    @Test func prune() async throws {
      try await FreshNamespace.run {
        var held = try Self.removal()
        let holder = Holder()
        try holder.take("tap0")
        let error = #expect(throws: OrchestratorError.self) { try Self.carryOut(held, force: false) }
        if case .held(let device, _) = error {
          #expect(device.link.name == "tap0")
        } else {
          Issue.record("it is not that somebody has it: \(String(describing: error))")
        }
        try expectLinks(["lo", "tap0", "tap1", "tap2", "tap3"])
        try holder.letGo()
        held = try Self.removal()
        try holder.take("tap0")
        #expect(try Self.carryOut(held, force: true) == (0..<4).map { "tap\($0) removed" })
        try holder.letGo()
        // One gone, one replaced by another program's, one by this one's: it is the rule that counts, forced or not.
        for force in [false, true] {
          let old = try Self.removal()
          try ip("link", "delete", "tap0")
          try ip("link", "delete", "tap1")
          try ip("tuntap", "add", "tap1", "mode", "tap")
          try mqctl("create", "tap2", "--pairs", "2", "--replace", exits: 0)
          let told = try Self.carryOut(old, force: force)
          #expect(told == ["tap0 unchanged", "tap1 unchanged", "tap2 removed", "tap3 removed"])
          try expectLinks(["lo", "tap1"])
          try ip("link", "delete", "tap1")
        }
      }
    }
  }
}
