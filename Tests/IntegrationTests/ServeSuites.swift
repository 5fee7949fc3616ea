import LinuxIOTesting
import Testing
import VhostUser

/// What is so of `mqctl serve` whoever moves the frames, with a front end of our own: each check for one data path.
struct ServeChecks {
  let datapath: ServedTap.Datapath
}

/// On the kernel's vhost-net.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostServeTests {
  private let serve = ServeChecks(datapath: .kernel)

  @Test(arguments: [1, 2, 8, 16]) func framesThroughEveryPair(_ pairs: Int) async throws {
    try await serve.framesThroughEveryPair(pairs)
  }
  @Test func aRingGoesOnWhereItStopped() async throws { try await serve.aRingGoesOnWhereItStopped() }
  @Test(arguments: [FrontEndMessage.setStatus(0), .resetDevice])
  func ringsAfterAReset(_ reset: FrontEndMessage) async throws { try await serve.ringsAfterAReset(reset) }
  @Test func endsInOrder() async throws { try await serve.endsInOrder() }
  @Test func asNobodyAndOnce() async throws { try await serve.asNobodyAndOnce() }
  @Test func brokenFramesCloseTheConnection() async throws { try await serve.brokenFramesCloseTheConnection() }
  @Test func descriptorsThatNobodyAskedFor() async throws { try await serve.descriptorsThatNobodyAskedFor() }
  @Test func halfAMessage() async throws { try await serve.halfAMessage() }
  @Test func refusalsLeaveTheConnection() async throws { try await serve.refusalsLeaveTheConnection() }
  @Test func floodsEnd() async throws { try await serve.floodsEnd() }
  @Test func theDirtyLogIsWritten() async throws { try await serve.theDirtyLogIsWritten() }
  @Test func aLogThatIsRefused() async throws { try await serve.aLogThatIsRefused() }
  @Test func theGuestIsAnnounced() async throws { try await serve.theGuestIsAnnounced() }
  @Test func permissionsAreThoseAskedFor() async throws { try await serve.permissionsAreThoseAskedFor() }
  @Test func aDeadSocketIsReplacedAndALivingOneIsNot() async throws {
    try await serve.aDeadSocketIsReplacedAndALivingOneIsNot()
  }
  @Test func socketActivation() async throws { try await serve.socketActivation() }
  @Test(arguments: [false, true]) func theCarrier(_ isKept: Bool) async throws { try await serve.theCarrier(isKept) }
  @Test func showAndListSayWhoServesWhere() async throws { try await serve.showAndListSayWhoServesWhere() }
}

/// On threads of the serving process.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct TunServeTests {
  private let serve = ServeChecks(datapath: .userspace)

  @Test(arguments: [1, 2, 8, 16]) func framesThroughEveryPair(_ pairs: Int) async throws {
    try await serve.framesThroughEveryPair(pairs)
  }
  @Test func aThousandFrontEndsOneAfterTheOther() async throws { try await serve.frontEndsOneAfterTheOther(1000) }
  @Test func aRingGoesOnWhereItStopped() async throws { try await serve.aRingGoesOnWhereItStopped() }
  @Test(arguments: [FrontEndMessage.setStatus(0), .resetDevice])
  func ringsAfterAReset(_ reset: FrontEndMessage) async throws { try await serve.ringsAfterAReset(reset) }
  @Test func endsInOrder() async throws { try await serve.endsInOrder() }
  @Test func asNobodyAndOnce() async throws { try await serve.asNobodyAndOnce() }
  @Test func brokenFramesCloseTheConnection() async throws { try await serve.brokenFramesCloseTheConnection() }
  @Test func descriptorsThatNobodyAskedFor() async throws { try await serve.descriptorsThatNobodyAskedFor() }
  @Test func halfAMessage() async throws { try await serve.halfAMessage() }
  @Test func refusalsLeaveTheConnection() async throws { try await serve.refusalsLeaveTheConnection() }
  @Test func floodsEnd() async throws { try await serve.floodsEnd() }
  @Test func theDirtyLogIsWritten() async throws { try await serve.theDirtyLogIsWritten() }
  @Test func aLogThatIsRefused() async throws { try await serve.aLogThatIsRefused() }
  @Test func theGuestIsAnnounced() async throws { try await serve.theGuestIsAnnounced() }
  @Test func permissionsAreThoseAskedFor() async throws { try await serve.permissionsAreThoseAskedFor() }
  @Test func aDeadSocketIsReplacedAndALivingOneIsNot() async throws {
    try await serve.aDeadSocketIsReplacedAndALivingOneIsNot()
  }
  @Test func socketActivation() async throws { try await serve.socketActivation() }
  @Test(arguments: [false, true]) func theCarrier(_ isKept: Bool) async throws { try await serve.theCarrier(isKept) }
  @Test func showAndListSayWhoServesWhere() async throws { try await serve.showAndListSayWhoServesWhere() }
}
