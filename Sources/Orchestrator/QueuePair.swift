public import LinuxIO
public import TapMQ
public import VhostKernel

/// A queue pair: one tap queue and, where the kernel has vhost-net, one open of it.
///
/// The vhost descriptor is declared, and so closed, before the tap queue that it may be using.
public struct QueuePair<Kernel: KernelInterface>: ~Copyable, Sendable {
  /// Its number in the device, from 0.
  public let index: Int
  /// The vhost device; nil where there is none.
  public let vhost: VhostNet<Kernel>?
  /// The tap queue.
  public let tap: TapQueue<Kernel>

  internal init(index: Int, vhost: consuming VhostNet<Kernel>?, tap: consuming TapQueue<Kernel>) {
    self.index = index
    self.vhost = vhost
    self.tap = tap
  }
}
