/// The keys that a file may have: docs/schema.json has the same.
public enum ManifestKeys {
  /// Of the file.
  public enum File: String, CaseIterable, Sendable {
    case devices
  }

  /// Of a device; each but `name` and `serve` is an option of `mqctl create`.
  public enum Device: String, CaseIterable, Sendable {
    case name, pairs, owner, group, mac, mtu, bridge, addresses, netns, down, qdisc, backpressure, serve
  }

  /// Of how a device is served; each is an option of `mqctl serve`.
  public enum Serve: String, CaseIterable, Sendable {
    case socket, pairs, user, datapath
    case socketMode = "socket-mode"
    case socketGroup = "socket-group"
    case busyPoll = "busy-poll-us"
  }
}

/// Finds the word that was meant.
internal enum Suggestion {
  /// The nearest of `words`, if it is near.
  internal static func nearest(to word: String, of words: [String]) -> String? {
    guard word.utf8.count < 40 else { return nil }
    let near = words.map { (word: $0, distance: distance($0, word)) }.min { $0.distance < $1.distance }
    return near.flatMap { $0.distance <= max(1, $0.word.count / 3) ? $0.word : nil }
  }

  /// Insertions, deletions and exchanges that lead from one word to the other.
  private static func distance(_ first: String, _ second: String) -> Int {
    let second = Array(second.lowercased())
    var row = Array(0...second.count)
    for (number, letter) in first.enumerated() {
      var diagonal = row[0]
      row[0] = number + 1
      for column in second.indices {
        let change = diagonal + (second[column] == letter ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(change, diagonal + 1, row[column] + 1)
      }
    }
    return row[second.count]
  }
}
