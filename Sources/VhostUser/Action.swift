/// What a message asks of the plane.
///
/// Every one but ``reply(_:)`` and ``stop(ring:)`` ends with ``Session/acknowledgement(of:failed:)``, whose bytes, if
/// any, go to the front end. A message's descriptors that the action does not name are closed; an action names them by
/// their position in the message.
public enum Action: Sendable, Hashable {
  /// Nothing to do but to acknowledge.
  case none
  /// Send this, and do nothing else.
  case reply([UInt8])
  /// These features have been negotiated. Bits 27 and 30, MQ and what the front end or the tap does are not vhost's;
  /// LOG_ALL goes to vhost only while ``Session/isLogging``. Without PROTOCOL_FEATURES every ring is enabled from now
  /// on.
  case setFeatures(DeviceFeatures)
  /// This table instead of the one there was; region *i* is in descriptor *i*. Rings that run stay where they were in
  /// the front end's memory, and are wholly in the new table: give their ``Session/places(ofRing:)`` anew. A ring that
  /// does not run and is not in it has no addresses any more.
  case setMemoryTable([MemoryRegion])
  /// One more region, the last of the table, in descriptor 0.
  case addRegion(MemoryRegion)
  /// The region that was at `index` is gone; those after it have moved up. No running ring is in it.
  case removeRegion(MemoryRegion, index: Int)
  /// Something about one ring, by its index in the device: 2i receive, 2i + 1 transmit of pair i.
  case setRing(Int, RingSetting)
  /// The ring's switch.
  case enable(ring: Int, Bool)
  /// Stop the ring, then send ``Session/replyBase(ring:base:)`` with where it stopped.
  case stop(ring: Int)
  /// The dirty log is in descriptor 0, and replaces one there was. If ``Session/isLogging`` from now on, vhost gets
  /// LOG_ALL and every ring its ``Session/places(ofRing:)`` anew.
  case setLog(LogArea)
  /// Descriptor 0 is the eventfd that says that the log has changed.
  case setLogEvent
  /// Descriptor 0 is the socket for requests of our own.
  case setBackEndChannel
  /// Announce the guest's address, six bytes, to the network.
  case sendRARP([UInt8])
  /// The guest has been told this MTU.
  case setMTU(UInt16)
  /// Disable every ring (RESET_OWNER).
  case disableRings
  /// Stop and disable every ring and forget features, ring settings and the log; memory stays mapped (RESET_DEVICE, or
  /// device status 0). A ring starts at entry 0 after it, unless told otherwise; until then a ``stop(ring:)`` says where
  /// the reset has stopped it.
  case reset
}

/// One thing about one ring.
public enum RingSetting: Sendable, Hashable {
  /// The number of entries.
  case size(Int)
  /// The next entry of the available ring to look at.
  case base(UInt16)
  /// Where its parts are.
  case addresses(RingPlaces)
  /// The descriptor that says that there is work; nil: none, and the ring is to be polled.
  case kick(descriptor: Int?)
  /// The descriptor that says that buffers are used; nil: none.
  case call(descriptor: Int?)
  /// The descriptor that says that the ring is broken; nil: none.
  case error(descriptor: Int?)
}
