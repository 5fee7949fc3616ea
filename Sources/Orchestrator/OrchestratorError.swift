public import SystemPackage
public import TapMQ
public import VhostKernel

/// Why something was not done. It says what is known; the words and the mend are the command's.
public enum OrchestratorError: Error {
  /// The device exists and is not what was asked for.
  case differs(Device, [Device.Difference])
  /// The name is that of a link that is no tap.
  case notATap(LinkInfo)
  /// The tap exists, but not as this program's queues need it: one queue, or without a virtio-net header.
  case unsuitable(Device, lacks: String)
  /// The tap was not made by this program.
  case notOurs(Device)
  /// Queues of the tap are open already.
  case held(Device, by: [QueueHolder])
  /// There is no such tap, bridge, …
  case absent(kind: String, name: String)
  /// The bridge's name is that of a link that is no bridge.
  case notABridge(LinkInfo)
  /// How many pairs was neither said nor remembered.
  case pairsUnknown(Device)
  /// The kernel cannot do it.
  case unsupported(feature: String, needs: String)
  /// The tap has queues and is up, and yet the kernel lets nothing through.
  case notOperational(String)
  /// A call on the tap or its link failed.
  case tap(TapError)
  /// A call on the vhost device of a pair failed.
  case vhost(VhostError, pair: Int)
  /// Another call failed.
  case system(String, Errno)
  /// A change in place failed and could not be undone, and why.
  indirect case halfChanged(OrchestratorError, why: String)
  /// A replacement failed after the old device was gone: whether the old one could be made again, and if not, why.
  indirect case replacement(OrchestratorError, restored: Bool, why: String?)
}
