import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import TapMQ
import Testing
import VhostKernel

/// The sweeps over what makes, opens and removes taps. Each wants a process and a network namespace of its own.
enum TapFaults {
  /// EBUSY of TUNSETIFF says that another process is making the same device: create waits for it and looks again.
  static func isAnotherMaker(_ fault: FaultSweep.Fault) -> String? {
    fault.call == "TUNSETIFF" && fault.errno == .resourceBusy ? "another maker may be at it: create looks again" : nil
  }

  @Sendable static func createPlain() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 8)
    let sweep = try FaultSweep()
    let calls = try sweep.run(
      errnos: FaultSweep.errnos + [.resourceBusy, .notPermitted], tolerates: isAnotherMaker,
      undo: { _ in try TapFixture.remove(spec.name) }
    ) { tools in
      let outcome = try tools.create(spec)
      #expect(outcome == .created)
    }
    #expect(
      calls == [
        "RTM_GETLINK", "open /dev/net/tun", "TUNSETIFF", "RTM_GETLINK", "RTM_SETLINK", "RTM_NEWQDISC", "RTM_SETLINK",
        "TUNSETPERSIST",
      ])
  }

  static func everyOption(_ name: InterfaceName) throws -> DeviceSpec {
    try DeviceSpec(
      name: name, pairs: 4, owner: 1000, group: 1001, mac: MACAddress("02:00:00:00:00:01"), mtu: 9000,
      bridge: InterfaceName("br0"),
      addresses: [InterfaceAddress("192.0.2.1/24"), InterfaceAddress("2001:db8::1/64")], qdisc: .default)
  }

  @Sendable static func createWithEveryOption() throws {
    try TapFixture.makeBridge("br0")
    let spec = try everyOption(InterfaceName("tap0"))
    let sweep = try FaultSweep()
    let calls = try sweep.run(undo: { _ in try TapFixture.remove(spec.name) }) { tools in
      let outcome = try tools.create(spec)
      #expect(outcome == .created)
    }
    #expect(
      calls == [
        "RTM_GETLINK", "RTM_GETLINK", "open /dev/net/tun", "TUNSETIFF", "TUNSETOWNER", "TUNSETGROUP", "RTM_GETLINK",
        "RTM_SETLINK", "RTM_SETLINK", "RTM_NEWADDR", "RTM_NEWADDR", "RTM_SETLINK", "TUNSETPERSIST",
      ])
  }

  /// Where the kernel lacks it the answer is `unsupported`, with a fault and without.
  @Sendable static func createWithBackpressure() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 2, backpressure: true)
    let isKnown = try TapSupport(probing: LinuxKernel()).flags.contains(.backpressure)
    let calls = try FaultSweep().run(undo: { _ in try TapFixture.remove(spec.name) }) { tools in
      do throws(OrchestratorError) {
        _ = try tools.create(spec)
        #expect(isKnown)
      } catch .unsupported(let feature, _) {
        #expect(feature == "backpressure" && !isKnown)
      }
    }
    #expect(calls.starts(with: ["RTM_GETLINK", "open /dev/net/tun", "TUNGETFEATURES"]))
  }

  @Sendable static func createWhatIsThere() throws {
    try TapFixture.makeBridge("br0")
    let spec = try everyOption(InterfaceName("tap0"))
    try TapFixture.make(spec)
    let other = try DeviceSpec(name: spec.name, pairs: 9)
    let sweep = try FaultSweep()
    let calls = try sweep.run(verify: { fault, _ in try TapFixture.expect(spec, "\(fault)") }) { tools in
      let outcome = try tools.create(spec)
      #expect(outcome == .unchanged)
    }
    #expect(calls == ["RTM_GETLINK", "RTM_GETLINK", "RTM_GETADDR"])
    try sweep.run(verify: { fault, _ in try TapFixture.expect(spec, "\(fault)") }) { tools in
      do throws(OrchestratorError) {
        _ = try tools.create(other)
        Issue.record("a device of 9 pairs is not one of 4")
      } catch .differs {}
    }
  }

  /// Until the old device goes nothing has happened to it; from then on it is made again.
  @Sendable static func replace() throws {
    try TapFixture.makeBridge("br0")
    let name = try InterfaceName("tap0")
    let plain = try DeviceSpec(name: name, pairs: 8)
    let full = try everyOption(name)
    let sweep = try FaultSweep()
    for (old, new) in [(plain, full), (full, plain)] {
      var restored = 0
      let calls = try sweep.run(
        prepare: { _ in try TapFixture.make(old) },
        undo: { _ in try TapFixture.expect(new, "a replacement without a fault") },
        verify: { fault, error in
          try TapFixture.expect(old, "\(fault)")
          if case OrchestratorError.replacement(_, let isRestored, let why) = error {
            #expect(isRestored && why == nil, "\(fault): \(error)")
            restored += 1
          }
        },
        { tools in
          let outcome = try tools.create(new, replace: true)
          #expect(outcome == .replaced)
        })
      // The new name, up, and persistent, with each errno.
      #expect(restored == 3 * FaultSweep.errnos.count)
      #expect(calls.suffix(4) == ["RTM_DELLINK", "RTM_SETLINK", "RTM_SETLINK", "TUNSETPERSIST"])
    }
  }

  /// The old device is gone and cannot be made again: the error says so, and nothing half made is left.
  @Sendable static func replaceLasting() throws {
    let name = try InterfaceName("tap0")
    let old = try DeviceSpec(name: name, pairs: 8)
    let new = try DeviceSpec(name: name, pairs: 4, mtu: 9000)
    var lost = 0
    try FaultSweep().run(
      lasting: true,
      prepare: { _ in try TapFixture.make(old) },
      verify: { fault, error in
        if case OrchestratorError.replacement(_, false, let why) = error {
          try TapFixture.awaitAbsence(of: name)
          #expect(why != nil, "\(fault): \(error)")
          lost += 1
          // For the comparison of what was there before.
          try TapFixture.make(old)
        }
        try TapFixture.expect(old, "\(fault)")
      },
      { tools in _ = try tools.create(new, replace: true) })
    #expect(lost == 3 * FaultSweep.errnos.count)
  }

  /// Another program's tap cannot be made again as it was, and the error does not claim so.
  @Sendable static func replaceForeign() throws {
    let name = try InterfaceName("tap0")
    let old = try DeviceSpec(name: name, pairs: 1)
    let new = try DeviceSpec(name: name, pairs: 4, mtu: 9000)
    var lost = 0
    try FaultSweep().run(
      errnos: [.noMemory],
      prepare: { links in
        try TapFixture.make(old)
        guard let link = try links.link(named: name) else { return }
        try links.change(link.index, named: link.name, LinkChange(alias: "another program's"))
      },
      verify: { fault, error in
        if case OrchestratorError.replacement(_, let isRestored, let why) = error {
          try TapFixture.awaitAbsence(of: name)
          #expect(!isRestored && why != nil, "\(fault): \(error)")
          lost += 1
          try TapFixture.make(old)
        }
      },
      { tools in _ = try tools.create(new, replace: true) })
    #expect(lost == 3)
  }

  /// What was changed before a failure is changed back.
  @Sendable static func change() throws {
    try TapFixture.makeBridge("br0")
    let name = try InterfaceName("tap0")
    let mac = try MACAddress("02:00:00:00:00:01")
    let plain = try DeviceSpec(
      name: name, pairs: 8, owner: 1, group: 1, mac: mac, addresses: [InterfaceAddress("192.0.2.2/24")])
    let full = try DeviceSpec(
      name: name, pairs: 4, owner: 1000, group: 1001, mac: MACAddress("02:00:00:00:00:02"), mtu: 9000,
      bridge: InterfaceName("br0"), addresses: [InterfaceAddress("192.0.2.1/24"), InterfaceAddress("2001:db8::1/64")],
      isUp: false)
    let sweep = try FaultSweep()
    for (old, new) in [(plain, full), (full, plain)] {
      try sweep.run(
        prepare: { _ in try TapFixture.make(old) },
        undo: { _ in try TapFixture.expect(new, "a change without a fault") },
        verify: { fault, _ in try TapFixture.expect(old, "\(fault)") },
        { tools in
          guard let device = try tools.device(named: name) else { throw FaultSweep.Failure(description: "no tap0") }
          let outcome = try tools.update(device, to: new)
          #expect(outcome == .changed)
        })
    }
  }

  /// The group that they were put into is not left, and what is gone is told of, whatever the kernel refused.
  @Sendable static func deleteMany() throws {
    let specs = try (0..<3).map { try DeviceSpec(name: InterfaceName("tap\($0)"), pairs: 1) }
    var told: [String: Bool] = [:]
    let calls = try FaultSweep().run(
      prepare: { _ in
        told = [:]
        for spec in specs { try TapFixture.make(spec) }
      },
      verify: { fault, _ in
        // The group is deleted all the same where one could not be put into it; that one is there as it was.
        for spec in specs {
          let isThere = try TapFixture.tools().device(named: spec.name) != nil
          if isThere { try TapFixture.expect(spec, "\(fault)") }
          #expect(told[spec.name.description] == (isThere ? nil : true), "\(fault): \(spec.name)")
        }
        for spec in specs { try TapFixture.make(spec) }
      },
      { tools in try tools.delete(try tools.devices(), report: { told[$0.link.name] = $1 }) })
    #expect(
      calls == [
        "RTM_GETLINK", "RTM_GETADDR", "RTM_GETLINK", "RTM_SETLINK", "RTM_SETLINK", "RTM_SETLINK", "RTM_DELLINK",
      ])
  }

  @Sendable static func delete() throws {
    try TapFixture.makeBridge("br0")
    let spec = try everyOption(InterfaceName("tap0"))
    let noDevice = Errno.operationNotSupportedByDevice
    let calls = try FaultSweep().run(
      errnos: FaultSweep.errnos + [noDevice], prepare: { _ in try TapFixture.make(spec) },
      tolerates: { fault in
        // A dump of all links does not fail so.
        let isGone = fault.errno == noDevice && ["RTM_GETADDR", "RTM_DELLINK"].contains(fault.call)
        return isGone ? "somebody else was faster" : nil
      },
      verify: { fault, _ in try TapFixture.expect(spec, "\(fault)") },
      { tools in _ = try tools.delete(spec.name) })
    #expect(calls == ["RTM_GETLINK", "RTM_GETLINK", "RTM_GETADDR", "RTM_DELLINK"])
  }

  @Sendable static func open() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 3)
    try TapFixture.make(spec)
    let calls = try FaultSweep().run(
      errnos: FaultSweep.errnos + [.tooManyOpenFiles, .notPermitted],
      verify: { fault, _ in try TapFixture.expect(spec, "\(fault)") },
      { tools in
        let set = try PairSet.open(spec.name, vhost: .off, through: tools)
        #expect(set.count == 3)
      })
    let pair = ["open /dev/net/tun", "TUNSETIFF"]
    #expect(calls == ["RTM_GETLINK", "RTM_GETADDR"] + pair + pair + pair + ["RTM_GETLINK"])
  }

  @Sendable static func openEphemeral() throws {
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 3)
    try FaultSweep().run(undo: { _ in try TapFixture.remove(spec.name) }) { tools in
      let queue = try tools.createEphemeral(spec)
      let set = try PairSet.open(spec.name, vhost: .off, first: queue, through: tools)
      #expect(set.count == 3)
    }
  }

  /// What `auto` does without, and `require` does not: a device node that is not there, has no driver, or is not for us.
  @Sendable static func vhostNodeMissing() throws {
    let name = try InterfaceName("tap0")
    let sweep = try FaultSweep()
    try TapFixture.make(DeviceSpec(name: name, pairs: 2))
    let node = VhostNet<LinuxKernel>.path
    // RTM_GETLINK, RTM_GETADDR, then the tap queue of pair 0.
    let number = 5
    let absences: [Errno] = [
      .noSuchFileOrDirectory, .operationNotSupportedByDevice, .noSuchAddressOrDevice, .permissionDenied, .notPermitted,
    ]
    for errno in absences + [.noMemory, .tooManyOpenFiles] {
      for policy in [VhostPolicy.auto, .require] {
        let before = try Footprint(sweep.links)
        sweep.script.begin(failing: number...number, with: errno)
        do throws(OrchestratorError) {
          let set = try PairSet.open(name, vhost: policy, through: sweep.tools)
          #expect(policy == .auto && absences.contains(errno))
          #expect(!set.hasVhost && set.count == 2 && set.vhostDescriptors == [])
          #expect(set.vhostAbsence == VhostError("open \(node)", errno: errno))
        } catch {
          #expect(policy == .require || !absences.contains(errno))
          guard case .vhost(let cause, let pair) = error else { throw error }
          #expect(cause == VhostError("open \(node)", errno: errno) && pair == 0)
        }
        #expect(sweep.script.failedCalls == ["open \(node)"])
        try before.expectUnchanged(sweep.links, after: "\(policy), \(errno)")
      }
    }
  }

  /// Rounds by the library in one process: nothing accumulates.
  static func rounds(_ count: Int) throws {
    let tools = try TapFixture.tools()
    let links = try LinkSession()
    let spec = try DeviceSpec(name: InterfaceName("tap0"), pairs: 8)
    func round() throws {
      _ = try tools.create(spec)
      _ = try PairSet.open(spec.name, vhost: .auto, through: tools)
      _ = try tools.delete(spec.name)
    }
    try round()
    let before = try Footprint(links)
    for _ in 0..<count { try round() }
    try before.expectUnchanged(links, after: "\(count) rounds")
  }
}
