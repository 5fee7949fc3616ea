public import LinuxIO
public import TapMQ

/// What has to be done so that the devices of a namespace are as they are wanted.
public struct Plan: Sendable {
  /// A device that is not as it is wanted.
  public enum Step: Sendable, Equatable {
    /// There is none of that name.
    case create(DeviceSpec)
    /// It is there and different; `replaces` if it cannot be changed in place.
    case change(Device, to: DeviceSpec, [Device.Difference], replaces: Bool)
    /// Nobody wants it.
    case remove(Device)

    /// The device's name.
    public var name: String {
      switch self {
      case .create(let spec): spec.name.description
      case .change(_, to: let spec, _, replaces: _): spec.name.description
      case .remove(let device): device.link.name
      }
    }
  }

  /// What carrying out a step was.
  public enum Outcome: String, Sendable {
    /// Made.
    case created
    /// Changed in place.
    case changed
    /// Another put in its place.
    case replaced
    /// Removed.
    case removed
    /// By then it was as wanted.
    case unchanged
  }

  /// In the order in which they are carried out: what is removed goes last.
  public let steps: [Step]
  /// How many wanted devices are as they should be.
  public let unchanged: Int

  private let survey: Survey

  /// Compares. `prune` removes the persistent devices that this program made and that are not among the wanted; one that is
  /// not persistent goes with whoever holds it.
  public init(_ wanted: [DeviceSpec], on survey: Survey, prune: Bool) {
    self.survey = survey
    let existing = Dictionary(survey.devices.map { ($0.link.name, $0) }) { first, _ in first }
    var steps: [Step] = []
    for spec in wanted {
      guard let device = existing[spec.name.description] else {
        steps.append(.create(spec))
        continue
      }
      let differences = device.differences(from: spec)
      guard !differences.isEmpty else { continue }
      steps.append(.change(device, to: spec, differences, replaces: device.needsReplacement(for: spec)))
    }
    unchanged = wanted.count - steps.count
    if prune {
      let names = Set(wanted.map(\.name.description))
      steps += survey.devices.filter { Self.prunes($0.link) && !names.contains($0.link.name) }.map { .remove($0) }
    }
    self.steps = steps
  }

  /// Whether a link that nobody wants is to go.
  private static func prunes(_ link: LinkInfo) -> Bool {
    guard let tun = link.tun, tun.isTap, tun.persistent else { return false }
    return DeviceRecord(alias: link.alias) != nil
  }

  /// Refuses what carrying it out would refuse, before anything is changed: names of what is no tap, bridges that are none,
  /// taps that this program did not make (unless forced), and held ones that would be replaced, or removed (unless forced).
  public func check<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>(
    through provisioner: borrowing Provisioner<Kernel, Links>, force: Bool
  ) throws(OrchestratorError) {
    for step in steps {
      switch step {
      case .create(let spec): try survey.check(spec)
      case .change(let device, to: let spec, _, replaces: _):
        try survey.check(spec)
        guard force || device.record != nil else { throw .notOurs(device) }
        try provisioner.checkUpdatable(device, to: spec)
      case .remove(let device):
        if !force { try provisioner.refuseIfHeld(device) }
      }
    }
  }

  /// Carries it out, each device wholly or not at all, and tells of each. It ends at the first that fails; what was done
  /// before stays, and a new plan has the rest. What is to be removed is looked at once more: one that somebody holds by then
  /// is refused unless forced, and one that is not there any more, or not this program's, is as wanted.
  public func carryOut<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>(
    through provisioner: borrowing Provisioner<Kernel, Links>, force: Bool, report: (Step, Outcome) -> Void
  ) throws(OrchestratorError) {
    var removals: [Device] = []
    for step in steps {
      switch step {
      case .create(let spec): report(step, Outcome(try provisioner.add(spec)))
      case .change(let device, to: let spec, _, replaces: _):
        report(step, Outcome(try provisioner.update(device, to: spec)))
      case .remove(let device): removals.append(device)
      }
    }
    try provisioner.delete(removals, force: force, where: Self.prunes) { device, isRemoved in
      report(.remove(device), isRemoved ? .removed : .unchanged)
    }
  }
}

extension Plan.Outcome {
  fileprivate init<Kernel: KernelInterface, Links: LinkInterface & ~Copyable>(
    _ outcome: Provisioner<Kernel, Links>.Outcome
  ) {
    self =
      switch outcome {
      case .created: .created
      case .unchanged: .unchanged
      case .changed: .changed
      case .replaced: .replaced
      }
  }
}
