extension QmpSession {
  /// The devices with and without an id (`/machine/peripheral`, `/machine/peripheral-anon`), and each one's netdev.
  public mutating func occupants() throws(HypervisorError) -> [QemuAttachment.Occupant] {
    var found: [QemuAttachment.Occupant] = []
    for folder in ["/machine/peripheral", "/machine/peripheral-anon"] {
      let list = try execute(QmpCommand("qom-list", ["path": .string(folder)]))
      for entry in list.elements {
        guard let name = entry["name"]?.string, let type = entry["type"]?.string, type.hasPrefix("child<") else {
          continue
        }
        let path = "\(folder)/\(name)"
        var netdev: String?
        let question = QmpCommand("qom-get", ["path": .string(path), "property": "netdev"])
        // A device of another kind has no such property.
        if case .success(.string(let value)) = try ask(question), !value.isEmpty { netdev = value }
        found.append(
          QemuAttachment.Occupant(
            path: path, identifier: folder.hasSuffix("anon") ? nil : name,
            type: String(type.dropFirst("child<".count).dropLast()), netdev: netdev))
      }
    }
    return found
  }

  /// The types of a driver's properties by their names (`device-list-properties`); the refusal of a driver that QEMU does
  /// not have is its own.
  public mutating func propertyTypes(of driver: String) throws(HypervisorError) -> [String: String] {
    let list = try execute(QmpCommand("device-list-properties", ["typename": .string(driver)]))
    var types: [String: String] = [:]
    for entry in list.elements {
      if let name = entry["name"]?.string, let type = entry["type"]?.string { types[name] = type }
    }
    return types
  }

  /// The first bridge with an id and nothing behind it (`query-pci`), such as a pcie-root-port: a machine of type q35
  /// takes a device there only. Nil where there is none: QEMU finds a place by itself, or says why not.
  public mutating func freePort() throws(HypervisorError) -> String? {
    guard case .success(let buses) = try ask(QmpCommand("query-pci")) else { return nil }
    return buses.elements.lazy.compactMap { Self.freePort(on: $0, depth: 0) }.first
  }

  private static func freePort(on bus: JSON, depth: Int) -> String? {
    guard depth < 16, let devices = bus["devices"] else { return nil }
    for device in devices.elements {
      guard let bridge = device["pci_bridge"] else { continue }
      if let identifier = device["qdev_id"]?.string, !identifier.isEmpty, (bridge["devices"]?.elements ?? []).isEmpty {
        return identifier
      }
      if let port = freePort(on: bridge, depth: depth + 1) { return port }
    }
    return nil
  }

  /// Refuses where the guest's memory is not shared memory with a descriptor, which a vhost-user back end must map.
  public mutating func requireSharedMemory() throws(HypervisorError) {
    let mend = "start QEMU with -object memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem"
    let backends = try execute(QmpCommand("query-memdev")).elements
    var wanted = backends
    let question = QmpCommand("qom-get", ["path": "/machine", "property": "memory-backend"])
    // A machine whose memory is that of its NUMA nodes has none of its own: then all that there is counts.
    if case .success(.string(let path)) = try ask(question), !path.isEmpty {
      wanted = backends.filter { path.hasSuffix("/\($0["id"]?.string ?? "?")") }
    }
    guard !wanted.isEmpty else { throw .memoryNotShared("the machine has no memory-backend of its own", mend: mend) }
    for backend in wanted {
      let name = backend["id"]?.string ?? "?"
      guard backend["share"]?.bool == true else { throw .memoryNotShared("memory '\(name)' has share=off", mend: mend) }
    }
    // Before 10.0 shared memory of this kind is anonymous.
    guard majorVersion < 10 else { return }
    let objects = try execute(QmpCommand("qom-list", ["path": "/objects"])).elements
    for object in objects where object["type"]?.string == "child<memory-backend-ram>" {
      let name = object["name"]?.string
      if wanted.contains(where: { $0["id"]?.string == name }) {
        throw .memoryNotShared("memory '\(name ?? "?")' is a memory-backend-ram, which has no descriptor", mend: mend)
      }
    }
  }

  /// Refuses where the back end of an attached device has gone: QEMU does not come back to it.
  public mutating func requireBackEnd(of place: QemuAttachment) throws(HypervisorError) {
    for entry in try execute(QmpCommand("query-chardev")).elements where entry["label"]?.string == place.chardev {
      guard entry["filename"]?.string?.hasPrefix("disconnected:") == true else { return }
      throw .conflict(
        "\(place.interface) is attached as '\(place.identifier)', and its back end has gone",
        mend: "serve the tap again, detach it and attach it")
    }
  }
}
