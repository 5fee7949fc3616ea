import Testing
import VhostUser
import VhostUserFuzzing

/// A session on which things have been said, each of which was accepted.
func session(after messages: [FrontEndMessage], offer: Offer = Conversations.offer) throws -> Session {
  var session = Session(offer: offer)
  for message in messages {
    _ = try session.receive(message)
    Fuzz.invariants(of: session)
  }
  return session
}

/// Says one thing more, and expects that it is refused so and changes nothing.
func expectRefusal(
  _ violation: ProtocolViolation, of message: FrontEndMessage, after messages: [FrontEndMessage],
  offer: Offer = Conversations.offer, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  var session = try session(after: messages, offer: offer)
  let before = session
  #expect(throws: violation, sourceLocation: sourceLocation) { try session.receive(message) }
  #expect(session == before, sourceLocation: sourceLocation)
  #expect(violation.description != "refused", sourceLocation: sourceLocation)
}

/// The device with fewer protocol features.
func offer(_ protocolFeatures: ProtocolFeatures) -> Offer {
  Offer(
    deviceFeatures: Conversations.offer.deviceFeatures, protocolFeatures: protocolFeatures, queuePairs: 4,
    maximumMemorySlots: 2, maximumRingSize: 1024, mtu: 9000, config: Conversations.offer.config)
}
