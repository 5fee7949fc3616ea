/// A process that has queues of a tap open.
public struct QueueHolder: Sendable, Equatable {
  /// The process.
  public let process: Int
  /// Its /proc/PID/comm.
  public let command: String
  /// How many attached queues of the tap it has open, or queues of which that cannot be told.
  public let attachedQueues: Int
  /// How many detached ones.
  public let detachedQueues: Int
  /// How many /dev/vhost-net it has open, for this tap or another.
  public let vhostDescriptors: Int
  /// Where it takes vhost-user front ends, if it does.
  public let served: ServedSocket?
}
