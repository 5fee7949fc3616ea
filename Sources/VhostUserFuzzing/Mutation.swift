public import VhostUser

/// Makes inputs out of the conversations: a stretch of one, with messages left out, twice, in another order or from
/// another conversation, bytes changed, descriptors too many or too few.
public struct Mutation: Sendable {
  /// A session on which the conversation was held up to a point, and what comes then.
  public struct Case: Sendable {
    /// Before the input.
    public let session: Session
    /// What brought it there.
    public let before: [FuzzFrame]
    /// What comes then.
    public let frames: [FuzzFrame]

    /// The frames in the form of ``Fuzz/run(_:from:)``.
    public var input: [UInt8] { frames.flatMap(\.input) }
  }

  private var generator: SeededGenerator
  private let conversations: [Conversation]

  /// The same inputs for the same seed.
  public init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    conversations = Self.known
  }

  /// Out of other conversations than ``Conversations/all``.
  public init(seed: UInt64, of conversations: [[FrontEndMessage]]) {
    generator = SeededGenerator(seed: seed)
    self.conversations = conversations.map { Conversation($0) }
  }

  /// The next input.
  public mutating func next() -> Case {
    let conversation = conversations[below(conversations.count)]
    let start = below(conversation.frames.count)
    var frames = Array(conversation.frames[start...].prefix(1 + below(12)))
    for _ in 0..<below(5) where !frames.isEmpty { mutate(&frames) }
    return Case(
      session: conversation.sessions[start], before: Array(conversation.frames[..<start]), frames: frames)
  }

  /// A conversation's messages, and the session before each of them.
  private struct Conversation: Sendable {
    var frames: [FuzzFrame] = []
    var sessions: [Session] = []

    init(_ messages: [FrontEndMessage]) {
      var session = Session(offer: Conversations.offer)
      for message in messages {
        frames.append(FuzzFrame(message, needsReply: true))
        sessions.append(session)
        _ = try? session.receive(message)
      }
    }
  }

  private static let known = Conversations.all.map { Conversation($0.messages) }

  private static let interesting: [UInt64] = [
    0, 1, 2, 7, 8, 15, 255, 256, 4095, 4096, 32768, 65535, 65536, 1 << 31, 1 << 32, 1 << 47, 1 << 63, .max, .max - 4095,
  ]

  private mutating func mutate(_ frames: inout [FuzzFrame]) {
    let position = below(frames.count)
    switch below(8) {
    case 0: frames.remove(at: position)
    case 1: frames.insert(frames[position], at: below(frames.count + 1))
    case 2: frames.swapAt(position, below(frames.count))
    case 3: frames[position].descriptorCount = UInt8(clamping: below(10))
    case 4: frames[position].bytes[below(frames[position].bytes.count)] ^= 1 << UInt8(clamping: below(8))
    case 5:
      let other = conversations[below(conversations.count)].frames
      frames.insert(other[below(other.count)], at: position)
    case 6:
      // A number of the payload becomes one of those at the edges.
      let words = (frames[position].bytes.count - MessageHeader.byteCount) / 8
      guard words > 0 else { return }
      let start = MessageHeader.byteCount + 8 * below(words)
      let value = Self.interesting[below(Self.interesting.count)]
      for byte in 0..<8 { frames[position].bytes[start + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
    default:
      // The ring's number, or the low half of whatever else comes first.
      guard frames[position].bytes.count > MessageHeader.byteCount else { return }
      frames[position].bytes[MessageHeader.byteCount] = UInt8(clamping: below(10))
    }
  }

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
}
