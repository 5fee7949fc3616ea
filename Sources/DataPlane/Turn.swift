/// How a ring's turn on its pair's thread has ended.
internal enum Turn: Equatable {
  /// There is more to do, and the other ring's turn comes first.
  case more
  /// Everything is through: no frame is left that could be moved.
  case done
  /// The tap takes no frame at the moment.
  case full
  /// The guest has no buffers for what the tap has.
  case starved
  /// The driver has broken the ring's rules.
  case broken
  /// Guest memory is not there any more.
  case lost

  /// How many frames, and how many bytes, one ring may move before the other has its turn.
  internal static var frames: Int { 64 }
  internal static var bytes: Int { 1 << 18 }
}
