/// What the session knows of one ring.
public struct Ring: Sendable, Hashable {
  /// SET_VRING_NUM; nil before.
  public internal(set) var size: Int?
  /// SET_VRING_ADDR, found to be in the memory table with all of the ring's length; nil before, after another size, and
  /// after a table that no longer has them.
  public internal(set) var addresses: RingAddresses?
  /// Whether SET_VRING_KICK came since the ring was last stopped.
  public internal(set) var hasKick = false
  /// The ring's switch: SET_VRING_ENABLE, or on throughout where PROTOCOL_FEATURES was not negotiated.
  public internal(set) var isEnabled = false

  internal init() {}

  /// Whether it has all that a started ring needs. The specification starts a ring at the first kick; in the kernel's
  /// vhost that is from the moment it has its kick, since it looks for work then and waits for the eventfd after.
  public var isStarted: Bool { size != nil && addresses != nil && hasKick }

  /// Started and enabled: frames move.
  public var isRunning: Bool { isStarted && isEnabled }
}

/// A ring's addresses, translated to places in guest memory: what the kernel is told, once the regions are mapped.
public struct RingPlaces: Sendable, Hashable {
  /// The descriptor table.
  public let descriptors: MemoryPlace
  /// The available ring.
  public let available: MemoryPlace
  /// The used ring.
  public let used: MemoryPlace
  /// Where writes to the used ring are logged, as a guest address; nil while there is no log, whatever the front end
  /// asked for. It is within the log: the kernel itself does not hold it to that (see ``Session/isLogging``).
  public let usedLog: UInt64?

  /// Takes the four.
  public init(descriptors: MemoryPlace, available: MemoryPlace, used: MemoryPlace, usedLog: UInt64? = nil) {
    self.descriptors = descriptors
    self.available = available
    self.used = used
    self.usedLog = usedLog
  }
}
