import TapMQ
import Testing

@testable import Orchestrator

/// What is to be done, from what is there and what is wanted.
@Suite struct PlanTests {
  private static func link(
    _ name: String, index: Int, alias: String? = "mqctl pairs=8", tun: TunInfo? = TunInfo(owner: 0)
  ) -> LinkInfo {
    LinkInfo(
      index: index, name: name, kind: tun == nil ? "bridge" : "tun", mac: MACAddress(bytes: [2, 0, 0, 0, 0, 1]),
      alias: alias, qdisc: "noqueue", isUp: true, tun: tun)
  }

  private static func spec(
    _ name: String, pairs: Int = 8, owner: UInt32? = 0, mtu: Int = 1500, bridge: String? = nil,
    qdisc: DeviceSpec.Qdisc? = nil
  ) throws -> DeviceSpec {
    try DeviceSpec(
      name: InterfaceName(name), pairs: pairs, owner: owner, group: owner == nil ? 5 : nil, mtu: mtu,
      bridge: bridge.map { try InterfaceName($0) }, qdisc: qdisc)
  }

  private static let survey = Survey(
    [
      link("tap0", index: 2), link("tap1", index: 3), link("foreign", index: 4, alias: "other"),
      link("br0", index: 5, tun: nil), link("passing", index: 6, tun: TunInfo(persistent: false, owner: 0)),
    ], addresses: [2: [], 3: [try! InterfaceAddress("192.0.2.1/24")]])

  private func lines(_ plan: Plan) -> [String] {
    plan.steps.map { step in
      switch step {
      case .create(let spec): "+\(spec.name)"
      case .change(_, to: _, let differences, let replaces):
        (replaces ? "!" : "~") + step.name + " " + differences.map(\.field).joined(separator: ",")
      case .remove: "-\(step.name)"
      }
    }
  }

  @Test func whatIsToBeDone() throws {
    let same = Plan([try Self.spec("tap0")], on: Self.survey, prune: false)
    #expect(same.steps.isEmpty && same.unchanged == 1)
    let all = Plan(
      [try Self.spec("tap9"), try Self.spec("tap1", mtu: 9000), try Self.spec("tap0")], on: Self.survey, prune: true)
    #expect(lines(all) == ["+tap9", "~tap1 mtu,addresses"] && all.unchanged == 1)
    // Neither another program's nor one that ends by itself.
    #expect(lines(Plan([], on: Self.survey, prune: true)) == ["-tap0", "-tap1"])
    #expect(Plan([], on: Self.survey, prune: false).steps.isEmpty)
  }

  @Test func whatCanBeChangedInPlace() throws {
    let cases: [(DeviceSpec, String)] = [
      (try Self.spec("tap0", pairs: 4), "~tap0 pairs"), (try Self.spec("tap0", owner: 5), "~tap0 owner"),
      (try Self.spec("tap0", owner: nil), "!tap0 owner,group"), (try Self.spec("tap0", bridge: "br0"), "~tap0 bridge"),
      (try Self.spec("tap0", qdisc: .default), "!tap0 qdisc"), (try Self.spec("foreign"), "!foreign pairs"),
      (try Self.spec("passing"), "!passing persist"),
    ]
    for (spec, line) in cases { #expect(lines(Plan([spec], on: Self.survey, prune: false)) == [line]) }
  }

  @Test func whatIsRefused() throws {
    func check(_ spec: DeviceSpec) -> OrchestratorError? {
      do throws(OrchestratorError) {
        try Self.survey.check(spec)
        return nil
      } catch {
        return error
      }
    }
    #expect(check(try Self.spec("tap0", bridge: "br0")) == nil)
    guard case .absent(kind: "bridge", name: "br9") = check(try Self.spec("new", bridge: "br9")) else {
      Issue.record("a bridge that is not there")
      return
    }
    guard case .notABridge = check(try Self.spec("new", bridge: "tap1")),
      case .notATap = check(try Self.spec("br0"))
    else {
      Issue.record("another kind of link")
      return
    }
  }
}
