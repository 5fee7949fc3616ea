public import VhostUser

/// What any bytes at all are put through, by libFuzzer and by the generator: they are read as a stream of messages, as
/// a server would, and given to a session. Traps if something is true afterwards that never may be.
public enum Fuzz {
  /// Runs one input, in the form of ``FuzzFrame/input`` one after the other, and says how many messages were accepted.
  @discardableResult
  public static func run(_ input: [UInt8], from start: Session = Session(offer: Conversations.offer)) -> Int {
    var session = start
    var accepted = 0
    var rest = input[...]
    while let descriptors = rest.popFirst() {
      let head = Array(rest.prefix(MessageHeader.byteCount))
      rest = rest.dropFirst(head.count)
      do throws(ProtocolViolation) {
        let header = try MessageHeader(bytes: head)
        let payload = Array(rest.prefix(Int(header.payloadSize)))
        rest = rest.dropFirst(payload.count)
        guard step(header, payload, Int(descriptors & 15), &session, &accepted) else { return accepted }
      } catch {
        check(!error.description.isEmpty, "a violation says nothing")
        return accepted
      }
    }
    return accepted
  }

  /// One message; false if the connection ends.
  private static func step(
    _ header: MessageHeader, _ payload: [UInt8], _ descriptors: Int, _ session: inout Session, _ accepted: inout Int
  ) -> Bool {
    let before = session
    do throws(ProtocolViolation) {
      let message = try FrontEndMessage.decode(header: header, payload: payload, descriptorCount: descriptors)
      check(message.request.rawValue == header.request, "a message of another request")
      let action = try session.receive(message)
      accepted += 1
      answers(action, to: header, in: session)
      invariants(of: session)
      return true
    } catch {
      check(session == before, "a refused message changed the session")
      check(!error.description.isEmpty && error.description != "refused", "a violation says nothing")
      guard case .reply(let bytes) = session.refusal(of: header, because: error) else { return false }
      checkReply(bytes, to: header)
      return true
    }
  }

  private static func answers(_ action: Action, to header: MessageHeader, in session: Session) {
    switch action {
    case .reply(let bytes): checkReply(bytes, to: header)
    case .stop(let ring): checkReply(session.replyBase(ring: ring, base: 7), to: header)
    default: if let bytes = session.acknowledgement(of: header, failed: false) { checkReply(bytes, to: header) }
    }
  }

  private static func checkReply(_ bytes: [UInt8], to header: MessageHeader) {
    guard let request = FrontEndRequest(rawValue: header.request),
      let reply = try? MessageHeader(bytes: Array(bytes.prefix(MessageHeader.byteCount))),
      (try? BackEndReply.decode(
        header: reply, payload: Array(bytes.dropFirst(MessageHeader.byteCount)), replyTo: request)) != nil
    else { fatalError("an answer that no front end can read: \(bytes)") }
  }

  /// What is true of a session at any time.
  public static func invariants(of session: Session) {
    let offer = session.offer
    check((session.features ?? []).isSubset(of: offer.deviceFeatures), "features beyond the offer")
    check(session.protocolFeatures.isSubset(of: offer.protocolFeatures), "protocol features beyond the offer")
    check(session.rings.count == offer.ringCount, "the number of rings has changed")
    check(session.memory.regions.count <= offer.maximumMemorySlots, "regions beyond the slots")
    for (index, region) in session.memory.regions.enumerated() {
      for other in session.memory.regions.dropFirst(index + 1) {
        check(
          !(region.guestAddress..<region.guestAddress + region.byteCount).overlaps(
            other.guestAddress..<other.guestAddress + other.byteCount), "regions overlap")
      }
    }
    if let log = session.log { check(log.byteCount >= session.memory.logByteCount, "memory beyond the log") }
    for (index, ring) in session.rings.enumerated() {
      if let size = ring.size { check(size <= offer.maximumRingSize && size.nonzeroBitCount == 1, "a ring's size") }
      guard ring.addresses != nil else { continue }
      guard let places = session.places(ofRing: index), let size = ring.size else {
        fatalError("ring \(index) has addresses outside memory")
      }
      for (part, place) in [
        (RingPart.descriptors, places.descriptors), (.available, places.available), (.used, places.used),
      ] {
        let region = session.memory.regions[place.region]
        check(place.offset + part.byteCount(ringSize: size) <= region.byteCount, "a ring beyond its region")
      }
      if let address = places.usedLog, let log = session.log {
        check((address + 8 * UInt64(size) + 5) / 32768 < log.byteCount, "a used ring beyond the log")
      }
    }
  }

  private static func check(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
  }
}
