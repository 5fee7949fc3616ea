import Testing
import VhostUser
import VhostUserFuzzing

/// REPLY_ACK, and what becomes of a message that is refused.
@Suite struct AcknowledgementTests {
  private func header(_ request: FrontEndRequest, needsReply: Bool = true) -> MessageHeader {
    MessageHeader(request, payloadSize: 0, needsReply: needsReply)
  }

  @Test func onlyWhereNegotiatedAndAskedFor() throws {
    let with = try session(after: Conversations.greeting)
    let without = try session(after: [.getFeatures, .setOwner])
    #expect(
      with.acknowledgement(of: header(.setVringNum), failed: false)
        == hex("08000000 05000000 08000000 00000000 00000000"))
    #expect(
      with.acknowledgement(of: header(.setVringNum), failed: true)
        == hex("08000000 05000000 08000000 01000000 00000000"))
    #expect(with.acknowledgement(of: header(.setVringNum, needsReply: false), failed: false) == nil)
    #expect(without.acknowledgement(of: header(.setVringNum), failed: true) == nil)
  }

  @Test func theMessageThatTurnsItOnIsAcknowledged() throws {
    let session = try session(after: [.getFeatures, .setProtocolFeatures(.replyAck)])
    #expect(session.acknowledgement(of: header(.setProtocolFeatures), failed: false) != nil)
  }

  @Test(arguments: [
    FrontEndRequest.getFeatures, .getProtocolFeatures, .getQueueNum, .getVringBase, .getConfig, .getMaxMemSlots,
    .getStatus,
  ])
  func neverBesideAnAnswerOfItsOwn(_ request: FrontEndRequest) throws {
    let session = try session(after: Conversations.greeting)
    #expect(session.acknowledgement(of: header(request), failed: false) == nil)
  }

  /// QEMU reads that the answer came, and not what it says.
  @Test func theLogsBaseIsAnsweredUnlessItWasRefused() throws {
    let before: [FrontEndMessage] = [.getFeatures, .setProtocolFeatures([.logSharedMemory, .replyAck]), .setOwner]
    let session = try session(after: before)
    let quiet = header(.setLogBase, needsReply: false)
    #expect(
      session.acknowledgement(of: quiet, failed: false) == hex("06000000 05000000 08000000 00000000 00000000"))
    #expect(session.acknowledgement(of: quiet, failed: true) == nil)
    #expect(session.refusal(of: quiet, because: .logEmpty) == .close)
    #expect(
      session.refusal(of: header(.setLogBase), because: .logEmpty)
        == .reply(hex("06000000 05000000 08000000 01000000 00000000")))
    let without = Session(offer: Conversations.offer)
    #expect(without.refusal(of: header(.setLogBase), because: .logWithoutMemory) == .close)
  }

  @Test func refusals() throws {
    let session = try session(after: Conversations.greeting)
    let failed = hex("08000000 05000000 08000000 01000000 00000000")
    #expect(session.refusal(of: header(.setVringNum), because: .ringSize(3)) == .reply(failed))
    // Nobody would hear of it: the front end would go on as if it had been done.
    #expect(session.refusal(of: header(.setVringNum, needsReply: false), because: .ringSize(3)) == .close)
    // The frame itself.
    #expect(
      session.refusal(of: header(.setVringNum), because: .payloadSize(.setVringNum, expected: 8, got: 0)) == .close)
    #expect(
      session.refusal(of: MessageHeader(request: 99, flags: 9, payloadSize: 0), because: .unknownRequest(99)) == .close)
    // An unsupported request that only wants to know, and one that waits for more than a number.
    #expect(
      session.refusal(of: header(.setInflightFD), because: .unsupportedRequest(.setInflightFD))
        == .reply(hex("20000000 05000000 08000000 01000000 00000000")))
    #expect(session.refusal(of: header(.getInflightFD), because: .unsupportedRequest(.getInflightFD)) == .close)
    #expect(
      session.refusal(of: header(.getConfig), because: .configRange(offset: 0, size: 0))
        == .reply(hex("18000000 05000000 00000000")))
    #expect(session.refusal(of: header(.getVringBase), because: .ringIndex(9, ringCount: 8)) == .close)
  }
}
