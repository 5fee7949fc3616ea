internal import LinuxIO
internal import SystemPackage

/// What a link has counted, of all its queues together (/proc/net/dev of this thread's network namespace).
public struct TapCounters: Sendable, Equatable {
  /// Frames that guests have sent.
  public let fromGuests: Int
  /// Of which the kernel threw some away.
  public let fromGuestsDropped: Int
  /// Frames that were put into queues for guests.
  public let toGuests: Int
  /// Frames for which a queue had no room.
  public let toGuestsDropped: Int

  /// Takes one line's numbers; nil where the link is not in the table.
  public init?(of link: String, in table: String) {
    for line in table.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":"), line[..<colon].drop(while: { $0 == " " }) == link else { continue }
      let numbers = line[line.index(after: colon)...].split(separator: " ").compactMap { Int($0) }
      guard numbers.count >= 12 else { return nil }
      // bytes packets errs drop fifo frame compressed multicast, then the same of what the link has sent.
      fromGuests = numbers[1]
      fromGuestsDropped = numbers[2] + numbers[3]
      toGuests = numbers[9]
      toGuestsDropped = numbers[10] + numbers[11]
      return
    }
    return nil
  }

  internal static func read(_ link: String) -> TapCounters? {
    (try? FileTree.text(of: "/proc/thread-self/net/dev", limit: 1 << 20)).flatMap { TapCounters(of: link, in: $0) }
  }

  /// What was counted since.
  internal func since(_ earlier: TapCounters) -> TapCounters {
    TapCounters(
      fromGuests: fromGuests - earlier.fromGuests, fromGuestsDropped: fromGuestsDropped - earlier.fromGuestsDropped,
      toGuests: toGuests - earlier.toGuests, toGuestsDropped: toGuestsDropped - earlier.toGuestsDropped)
  }

  private init(fromGuests: Int, fromGuestsDropped: Int, toGuests: Int, toGuestsDropped: Int) {
    self.fromGuests = fromGuests
    self.fromGuestsDropped = fromGuestsDropped
    self.toGuests = toGuests
    self.toGuestsDropped = toGuestsDropped
  }
}
