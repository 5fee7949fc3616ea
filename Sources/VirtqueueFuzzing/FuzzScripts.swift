internal import VhostUserFuzzing

/// Scripts that any driver might write: the material of the corpus and of the generator's mutations.
public enum FuzzScripts {
  /// Their names, and the inputs.
  public static let all: [(name: String, input: [UInt8])] = [
    ("transmit", start(size: 3, features: 0) + single(0, 64) + single(1, 1514) + [6, 8, 9, 9, 11, 12, 13, 14]),
    ("chain", start(size: 3, features: 0) + chain(writable: false) + [6, 1, 9, 11, 12, 13]),
    ("indirect", start(size: 2, features: 2) + table(writable: false) + [6, 1, 9, 11, 12, 13]),
    (
      "receive",
      start(size: 4, features: 8) + (0..<4).flatMap { single($0, 100, writable: true) } + [
        7, 2, 10, 60, 0, 15, 11, 12, 7, 8,
      ]
        + [10, 50, 0, 10, 100, 0, 11, 12, 13]
    ),
    (
      "merged",
      start(size: 4, features: 7) + (0..<6).flatMap { single($0, 100, writable: true) } + [
        8, 0x2c, 1, 10, 0, 1, 11, 12, 15,
      ]
        + [8, 0x20, 3, 13] + table(writable: true) + [8, 0x20, 3, 10, 0, 2, 11, 12]
    ),
    (
      "events",
      start(size: 1, features: 1) + single(0, 9) + [6, 1, 9, 11, 12, 5, 0xff, 0xff, 13] + single(1, 9) + [
        6, 9, 9, 11, 12,
      ]
    ),
    ("behind", start(size: 3, features: 0) + [4, 0, 0, 6, 1, 6, 1, 13]),
    (
      "changed",
      start(size: 3, features: 2) + single(0, 9) + [6, 9] + single(0, 99, writable: true) + [
        9, 11, 7, 9, 10, 12, 0, 11,
      ]
    ),
  ]

  private static func start(size: UInt8, features: UInt8) -> [UInt8] { [size, features, 0xfe, 0xff] }

  private static func descriptor(
    _ step: UInt8, _ position: UInt8, _ place: UInt8, _ length: UInt16, flags: UInt8, next: UInt8
  ) -> [UInt8] {
    [step, position, place, position, 0, UInt8(length & 255), UInt8(length >> 8), flags, next]
  }

  private static func single(_ position: UInt8, _ length: UInt16, writable: Bool = false) -> [UInt8] {
    descriptor(1, position, position & 3 == 3 ? 0 : position & 3, length, flags: writable ? 2 : 0, next: 0) + [
      3, position,
    ]
  }

  private static func chain(writable: Bool) -> [UInt8] {
    let flags: UInt8 = writable ? 2 : 0
    return descriptor(1, 0, 0, 12, flags: flags | 1, next: 5) + descriptor(1, 5, 2, 0x200, flags: flags | 1, next: 2)
      + descriptor(1, 2, 0, 0x1100, flags: flags, next: 0) + [3, 0]
  }

  private static func table(writable: Bool) -> [UInt8] {
    let flags: UInt8 = writable ? 2 : 0
    return descriptor(2, 0, 0, 12, flags: flags | 1, next: 2) + descriptor(2, 2, 1, 0x200, flags: flags | 1, next: 1)
      + descriptor(2, 1, 2, 0x300, flags: flags, next: 0) + [1, 0, 3, 0, 0, 48, 0, 4, 0, 3, 0]
  }
}

/// Makes inputs out of the scripts: stretches of several one after the other, bytes changed, left out or added.
public struct FuzzScriptMutation: Sendable {
  private var generator: SeededGenerator

  /// The same inputs for the same seed.
  public init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
  }

  /// The next input.
  public mutating func next() -> [UInt8] {
    var input = FuzzScripts.all[below(FuzzScripts.all.count)].input
    for _ in 0..<below(3) { input += FuzzScripts.all[below(FuzzScripts.all.count)].input.dropFirst(4) }
    for _ in 0..<below(6) {
      let position = below(input.count)
      switch below(4) {
      case 0: input[position] ^= 1 << UInt8(below(8))
      case 1: input[position] = UInt8(below(256))
      case 2: input.insert(UInt8(below(16)), at: position)
      default: if input.count > 5 { input.remove(at: position) }
      }
    }
    return input
  }

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
}
