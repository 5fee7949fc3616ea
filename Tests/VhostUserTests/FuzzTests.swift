import Testing
import VhostUserFuzzing

/// The generator's fixed budget: any bytes, and conversations that have been tampered with. Nothing may trap.
@Suite struct FuzzTests {
  @Test(arguments: 0..<10 as Range<UInt64>) func mutatedConversations(_ seed: UInt64) {
    var mutation = Mutation(seed: seed)
    var accepted = 0
    for _ in 0..<10_000 {
      let next = mutation.next()
      accepted += Fuzz.run(next.input, from: next.session)
    }
    // A generator whose messages are all refused proves nothing.
    #expect(accepted > 20_000)
  }

  @Test func anyBytes() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0..<80, using: &generator)
      Fuzz.run((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
  }

  @Test(arguments: Conversations.all.map(\.name)) func wholeConversationsAreAccepted(_ name: String) throws {
    let messages = try #require(Conversations.all.first { $0.name == name }?.messages)
    #expect(Fuzz.run(messages.flatMap { FuzzFrame($0, needsReply: true).input }) == messages.count)
  }
}
