public import LinuxIO
public import SystemPackage

extension QmpSession {
  /// What takes a command back, for an attachment that fails later.
  private struct Undo {
    let command: QmpCommand
    /// What QEMU says where there is nothing to take back.
    let isNothing: (QmpRefusal) -> Bool

    static func closeDescriptor(_ name: String) -> Undo {
      // The one error that closefd has is that there is no such descriptor.
      Undo(command: QmpCommand("closefd", ["fdname": .string(name)])) { $0.kind == "GenericError" }
    }

    static func deleteNetdev(_ identifier: String) -> Undo {
      Undo(command: QmpCommand("netdev_del", ["id": .string(identifier)])) { $0.kind == "DeviceNotFound" }
    }

    static func removeChardev(_ identifier: String) -> Undo {
      Undo(command: QmpCommand("chardev-remove", ["id": .string(identifier)])) { $0.words.hasSuffix("not found") }
    }
  }

  /// Hands a tap's queues over: getfd for each tap and each vhost descriptor, netdev_add, device_add.
  ///
  /// A vhost descriptor must be virgin: QEMU calls VHOST_SET_OWNER. `vhostforce` makes a failure of vhost's an error:
  /// without it QEMU 7.2 aborts, guest and all.
  ///
  /// - Parameters:
  ///   - device: the arguments of `device_add`.
  public mutating func attach(
    _ place: QemuAttachment, taps: [FileDescriptor], vhost: [FileDescriptor], device: [String: JSON]
  ) throws(HypervisorError) {
    var undo: [Undo] = []
    do throws(HypervisorError) {
      var netdev: [String: JSON] = ["type": "tap", "id": .string(place.netdev), "vhost": .bool(!vhost.isEmpty)]
      let tapNames = taps.indices.map(place.tapName)
      let vhostNames = vhost.indices.map(place.vhostName)
      for (name, descriptor) in zip(tapNames + vhostNames, taps + vhost) {
        try execute(QmpCommand("getfd", ["fdname": .string(name)]), passing: descriptor)
        undo.append(.closeDescriptor(name))
      }
      netdev["fds"] = .string(tapNames.joined(separator: ":"))
      if !vhost.isEmpty {
        netdev["vhostfds"] = .string(vhostNames.joined(separator: ":"))
        netdev["vhostforce"] = true
      }
      try addNetdev(place.netdev, netdev, &undo)
      try execute(QmpCommand("device_add", device))
    } catch {
      throw take(back: undo, after: error)
    }
  }

  /// Connects QEMU to a vhost-user back end: add-fd of the socket's file, chardev-add by way of /proc/self/fd,
  /// netdev_add, device_add.
  ///
  /// QEMU needs no way to the socket's path then, only the permission to write to it. A connected descriptor would not
  /// do: QEMU's character devices pass descriptors, as vhost-user must, only over a socket that they found by a path.
  public mutating func attach(
    _ place: QemuAttachment, socket: borrowing OwnedDescriptor, pairs: Int, device: [String: JSON]
  ) throws(HypervisorError) {
    var undo: [Undo] = []
    do throws(HypervisorError) {
      let step = QmpCommand("add-fd")
      let answer = try execute(step, passing: socket.descriptor)
      guard let set = answer["fdset-id"]?.integer, let number = answer["fd"]?.integer else {
        throw .nonsense(step: step.step, what: "an answer without fdset-id and fd")
      }
      let removal = QmpCommand("remove-fd", ["fdset-id": .integer(set)])
      undo.append(Undo(command: removal) { _ in false })
      try execute(
        QmpCommand(
          "chardev-add",
          [
            "id": .string(place.chardev),
            "backend": [
              "type": "socket",
              "data": [
                "server": false,
                "addr": ["type": "unix", "data": ["path": .string("/proc/self/fd/\(number)")]],
              ],
            ],
          ]))
      undo.append(.removeChardev(place.chardev))
      // QEMU connects once more, and again, for as long as the back end ends the connection: not if there is no path.
      try execute(removal)
      undo.removeFirst()
      try addNetdev(
        place.netdev,
        [
          "type": "vhost-user", "id": .string(place.netdev), "chardev": .string(place.chardev),
          "queues": .integer(pairs),
        ], &undo)
      try execute(QmpCommand("device_add", device))
    } catch {
      throw take(back: undo, after: error)
    }
  }

  private mutating func addNetdev(
    _ identifier: String, _ arguments: [String: JSON], _ undo: inout [Undo]
  ) throws(HypervisorError) {
    let command = QmpCommand("netdev_add", arguments)
    let answer = try ask(command)
    if case .failure(let refusal) = answer {
      // One that failed half-way may have left half a netdev; one that is somebody else's stays.
      if !refusal.words.hasPrefix("Duplicate ID") { undo.append(.deleteNetdev(identifier)) }
      throw .refused(step: command.step, words: refusal.words)
    }
    undo.append(.deleteNetdev(identifier))
  }

  /// What an attachment of that tap that was killed has left: a netdev without a device, descriptors, a character device.
  /// Call it only where no device is on the tap's netdevs: QEMU deletes a netdev under its device.
  ///
  /// - Parameters:
  ///   - thoroughly: asks for every descriptor's name that there may be, and not only for the first.
  /// - Returns: whether there was anything.
  @discardableResult
  public mutating func removeLeftovers(
    of place: QemuAttachment, thoroughly: Bool
  ) throws(HypervisorError) -> Bool {
    var found = false
    for kind in QemuAttachment.Kind.allCases {
      if try take(back: .deleteNetdev(QemuAttachment.netdev(of: place.interface, kind))) { found = true }
    }
    if try take(back: .removeChardev(place.chardev)) { found = true }
    for pair in 0..<256 {
      let tap = try take(back: .closeDescriptor(place.tapName(pair)))
      let vhost = try take(back: .closeDescriptor(place.vhostName(pair)))
      if tap || vhost { found = true }
      if !tap, !vhost, !thoroughly { break }
    }
    return found
  }

  /// Takes the device away: device_del, DEVICE_DELETED, then what it was on.
  ///
  /// - Returns: whether there was anything.
  public mutating func detach(_ place: QemuAttachment) throws(HypervisorError) -> Bool {
    let ours = QemuAttachment.Kind.allCases.map { QemuAttachment.netdev(of: place.interface, $0) }
    let occupants = try occupants()
    let device = occupants.first { $0.identifier == place.identifier }
    if let device {
      guard let netdev = device.netdev, ours.contains(netdev) else {
        let what = device.netdev.map { "on netdev '\($0)'" } ?? "no network device"
        throw .conflict(
          "device '\(place.identifier)' is \(what): mqctl did not attach \(place.interface) as that",
          mend: "give the --id that it was attached with")
      }
      try unplug(place.identifier)
    } else if let other = occupants.first(where: { $0.netdev.map(ours.contains) == true }) {
      throw .conflict(
        "\(place.interface) is attached as device '\(other.identifier ?? other.path)'", mend: "give that as --id")
    }
    return try removeLeftovers(of: place, thoroughly: false) || device != nil
  }

  private mutating func unplug(_ identifier: String) throws(HypervisorError) {
    let end = ContinuousClock.now + .seconds(seconds)
    let command = QmpCommand("device_del", ["id": .string(identifier)])
    if case .failure(let refusal) = try ask(command), !refusal.words.contains("in the process of unplug") {
      throw .refused(step: command.step, words: refusal.words)
    }
    let event = try event(until: end) { name, data in
      ["DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR"].contains(name) && data["device"]?.string == identifier
    }
    switch event {
    case "DEVICE_DELETED": return
    case .some: throw .guestRefuses(identifier: identifier)
    case .none: throw .guestKeeps(identifier: identifier, seconds: seconds)
    }
  }

  /// Whether there was anything to take back.
  private mutating func take(back undo: Undo) throws(HypervisorError) -> Bool {
    switch try ask(undo.command) {
    case .success: return true
    case .failure(let refusal):
      guard undo.isNothing(refusal) else { throw .refused(step: undo.command.step, words: refusal.words) }
      return false
    }
  }

  /// Undoes in reverse, as far as QEMU answers.
  private mutating func take(back undo: [Undo], after cause: HypervisorError) -> HypervisorError {
    if cause.isOfTransport { return .undone(cause, left: ["whatever QEMU has of it"]) }
    var left: [String] = []
    for step in undo.reversed() {
      do throws(HypervisorError) {
        _ = try take(back: step)
      } catch {
        if case .refused(let step, let words) = error {
          left.append("\(step): \(words)")
        } else {
          return .undone(cause, left: left + ["whatever QEMU has of it, since it stopped answering"])
        }
      }
    }
    return .undone(cause, left: left)
  }
}
