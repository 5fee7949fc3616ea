import Testing
import VhostUser
import VhostUserFuzzing

/// What comes of messages that are accepted.
@Suite struct SessionActionTests {
  private let greeting = Conversations.greeting
  private let features = Conversations.features

  @Test func answers() throws {
    var session = Session(offer: Conversations.offer)
    #expect(
      try session.receive(.getFeatures)
        == .reply(BackEndReply.number(Conversations.offer.deviceFeatures.rawValue).encoded(replyTo: .getFeatures)))
    #expect(
      try session.receive(.getProtocolFeatures) == .reply(hex("0f000000 05000000 08000000 3fa20100 00000000")))
    #expect(try session.receive(.getQueueNum) == .reply(hex("11000000 05000000 08000000 08000000 00000000")))
    _ = try session.receive(.setProtocolFeatures(.implemented))
    _ = try session.receive(.setOwner)
    #expect(try session.receive(.getMaxMemSlots) == .reply(hex("24000000 05000000 08000000 10000000 00000000")))
    #expect(try session.receive(.setStatus(3)) == .none)
    #expect(try session.receive(.getStatus) == .reply(hex("28000000 05000000 08000000 03000000 00000000")))
  }

  @Test func queueNumberInPairs() throws {
    let pairs = Offer(
      deviceFeatures: [], protocolFeatures: .multiQueue, queuePairs: 4, config: Conversations.offer.config,
      queueNumber: .pairs)
    var session = try session(after: [.getFeatures], offer: pairs)
    #expect(try session.receive(.getQueueNum) == .reply(hex("11000000 05000000 08000000 04000000 00000000")))
  }

  @Test func configurationIsReadAndZeroBehind() throws {
    var session = try session(after: greeting)
    let asked = ConfigAccess(offset: 8, flags: 1, bytes: Array(repeating: 0xee, count: 14))
    #expect(
      try session.receive(.getConfig(asked))
        == .reply(
          hex("18000000 05000000 1a000000 08000000 0e000000 01000000 0400 dc05 ffffffff ff 0000000000")))
    let far = ConfigAccess(offset: 254, flags: 0, bytes: [1, 1])
    #expect(
      try session.receive(.getConfig(far)) == .reply(hex("18000000 05000000 0e000000 fe000000 02000000 00000000 0000")))
  }

  @Test func aRingFromNothingToRunning() throws {
    var session = try session(after: greeting + [.setVringEnable(ring: 2, isEnabled: true)])
    #expect(try session.receive(.setVringNum(ring: 2, size: 256)) == .setRing(2, .size(256)))
    #expect(try session.receive(.setVringBase(ring: 2, base: 9)) == .setRing(2, .base(9)))
    let places = RingPlaces(offset: 0x1002_0000, usedLog: nil)
    #expect(
      try session.receive(.setVringAddr(ring: 2, Conversations.addresses(2))) == .setRing(2, .addresses(places)))
    #expect(!session.rings[2].isStarted)
    let file = VringFile(ring: 2, hasDescriptor: true)
    #expect(try session.receive(.setVringKick(file)) == .setRing(2, .kick(descriptor: 0)))
    #expect(session.rings[2].isRunning)
    #expect(try session.receive(.setVringCall(file)) == .setRing(2, .call(descriptor: 0)))
    #expect(try session.receive(.setVringErr(file)) == .setRing(2, .error(descriptor: 0)))
    let none = VringFile(ring: 2, hasDescriptor: false)
    #expect(try session.receive(.setVringKick(none)) == .setRing(2, .kick(descriptor: nil)))
    #expect(try session.receive(.setVringCall(none)) == .setRing(2, .call(descriptor: nil)))
    #expect(try session.receive(.getVringBase(ring: 2)) == .stop(ring: 2))
    #expect(!session.rings[2].isStarted && session.rings[2].isEnabled)
    #expect(session.replyBase(ring: 2, base: 300) == hex("0b000000 05000000 08000000 02000000 2c010000"))
  }

  @Test func aRingIsDisabledUnlessProtocolFeaturesWereRefused() throws {
    #expect(try !session(after: greeting).rings[1].isEnabled)
    let plain = try session(after: Array(Conversations.plain.dropLast(2)))
    #expect(plain.rings[0].isRunning && plain.rings[7].isEnabled && !plain.rings[7].isRunning)
  }

  @Test func aTableThatMovesUnderARunningRing() throws {
    let running = greeting + Conversations.start(0) + [.setVringEnable(ring: 0, isEnabled: true)]
    var session = try session(after: running)
    let table = Array(Conversations.regions.reversed())
    #expect(try session.receive(.setMemTable(table)) == .setMemoryTable(table))
    #expect(session.places(ofRing: 0)?.descriptors.region == 1)
    #expect(session.places(ofRing: 0)?.descriptors.offset == 0x1000_0000)
  }

  @Test func theLogIsInForceOnlyWithBothOfItsHalves() throws {
    let area = LogArea(byteCount: 0x2_8000, fileOffset: 0)
    let logged = FrontEndMessage.setVringAddr(ring: 0, Conversations.addresses(0, isLogged: true))
    var session = try session(
      after: greeting + Conversations.start(0) + [.setFeatures(features.union(.logAll)), logged])
    #expect(!session.isLogging)
    #expect(session.places(ofRing: 0)?.usedLog == nil)
    #expect(try session.receive(.setLogBase(area)) == .setLog(area))
    #expect(session.isLogging)
    #expect(session.places(ofRing: 0)?.usedLog == 0x1000_6000)
    #expect(try session.receive(.setFeatures(features)) == .setFeatures(features))
    #expect(!session.isLogging && session.log == nil)
    #expect(session.places(ofRing: 0)?.usedLog == nil)
  }

  @Test func theRest() throws {
    var session = try session(after: greeting)
    let address: [UInt8] = [2, 0, 0, 0, 0, 1]
    #expect(try session.receive(.sendRARP(address)) == .sendRARP(address))
    #expect(try session.receive(.netSetMTU(1500)) == .setMTU(1500))
    #expect(try session.receive(.setLogFD) == .setLogEvent)
    #expect(try session.receive(.setBackendReqFD) == .setBackEndChannel)
    #expect(try session.receive(.setFeatures(features)) == .setFeatures(features))
  }

  @Test(arguments: [FrontEndMessage.resetDevice, .setStatus(0)])
  func aResetKeepsOwnerMemoryAndProtocol(_ message: FrontEndMessage) throws {
    let running = greeting + Conversations.start(0) + [.setVringEnable(ring: 0, isEnabled: true), .setStatus(15)]
    var session = try session(after: running)
    #expect(try session.receive(message) == .reset)
    #expect(session.rings.allSatisfy { $0.size == nil && $0.addresses == nil && !$0.hasKick && !$0.isEnabled })
    #expect(session.features == nil && session.status == 0 && session.log == nil)
    #expect(session.isOwned && session.memory.regions.count == 2 && session.protocolFeatures == .implemented)
    for next in [.setFeatures(features)] + Conversations.start(0) { _ = try session.receive(next) }
    #expect(session.rings[0].isStarted)
  }

  @Test func resetOwnerDisablesRingsAndNothingMore() throws {
    let running = greeting + Conversations.start(0) + [.setVringEnable(ring: 0, isEnabled: true)]
    var session = try session(after: running)
    #expect(try session.receive(.resetOwner) == .disableRings)
    #expect(session.rings[0].isStarted && !session.rings[0].isEnabled && session.isOwned)
  }

  @Test func anOfferIsBroughtIntoRange() {
    let config = Conversations.offer.config
    let wild = Offer(
      deviceFeatures: .protocolFeatures, protocolFeatures: .inbandNotifications, queuePairs: 1000,
      maximumMemorySlots: -1,
      maximumRingSize: 1000, config: config)
    #expect(wild.deviceFeatures.isEmpty && wild.protocolFeatures.isEmpty)
    #expect(wild.ringCount == 256 && wild.maximumMemorySlots == 1 && wild.maximumRingSize == 512)
    let none = Offer(
      deviceFeatures: [], protocolFeatures: .replyAck, queuePairs: 0, maximumRingSize: .max, config: config)
    #expect(none.deviceFeatures == .protocolFeatures && none.ringCount == 2 && none.maximumRingSize == 32768)
    #expect(
      Offer(deviceFeatures: [], protocolFeatures: [], queuePairs: 1, maximumRingSize: 0, config: config)
        .maximumRingSize == 1)
  }
}

extension RingPlaces {
  /// A ring of the conversations, at an offset into the first region.
  fileprivate init(offset: UInt64, usedLog: UInt64?) {
    self.init(
      descriptors: MemoryPlace(region: 0, offset: offset), available: MemoryPlace(region: 0, offset: offset + 0x4000),
      used: MemoryPlace(region: 0, offset: offset + 0x6000), usedLog: usedLog)
  }
}
