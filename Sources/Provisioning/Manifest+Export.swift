public import Orchestrator
internal import TapMQ

extension Manifest {
  /// A file of these devices, without what goes without saying.
  public static func export(
    _ devices: [(spec: DeviceSpec, serve: ServeSpec?)], namespace: String?
  ) -> ManifestValue {
    .map([
      (
        ManifestKeys.File.devices.rawValue,
        .list(devices.map { export($0.spec, namespace: namespace, serve: $0.serve) })
      )
    ])
  }

  private static func export(_ spec: DeviceSpec, namespace: String?, serve: ServeSpec?) -> ManifestValue {
    var entries: [(key: String, value: ManifestValue)] = []
    func put(_ key: ManifestKeys.Device, _ value: ManifestValue?) {
      if let value { entries.append((key.rawValue, value)) }
    }
    put(.name, .text(spec.name.description))
    put(.pairs, .number(spec.pairs))
    // Root's, where there is no word on owner and group.
    put(.owner, spec.owner == 0 && spec.group == nil ? nil : spec.owner.map { .number(Int($0)) })
    put(.group, spec.group.map { .number(Int($0)) })
    put(.mac, spec.mac.map { .text($0.description) })
    put(.mtu, spec.mtu == DeviceSpec.defaultMTU ? nil : .number(spec.mtu))
    put(.bridge, spec.bridge.map { .text($0.description) })
    put(.addresses, spec.addresses.isEmpty ? nil : .list(spec.addresses.map { .text($0.description) }))
    put(.netns, namespace.map { .text($0) })
    put(.down, spec.isUp ? nil : .flag(true))
    put(.qdisc, spec.qdisc == (spec.backpressure ? .default : .noqueue) ? nil : .text(spec.qdisc.rawValue))
    put(.backpressure, spec.backpressure ? .flag(true) : nil)
    put(.serve, serve.map(export))
    return .map(entries)
  }

  private static func export(_ serve: ServeSpec) -> ManifestValue {
    let words: [(ManifestKeys.Serve, ManifestValue?)] = [
      (.socket, .text(serve.socket)), (.pairs, serve.pairs.map { .number($0) }), (.user, serve.user.map { .text($0) }),
      (.socketMode, serve.socketMode.map { .text($0) }), (.socketGroup, serve.socketGroup.map { .text($0) }),
      (.datapath, serve.datapath.map { .text($0.rawValue) }), (.busyPoll, serve.busyPoll.map { .number($0) }),
    ]
    return .map(words.compactMap { key, value in value.map { (key.rawValue, $0) } })
  }
}
