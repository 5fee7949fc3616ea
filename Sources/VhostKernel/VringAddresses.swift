/// A split ring's three parts, as virtual addresses of the process that owns the vhost device.
public struct VringAddresses: Sendable, Equatable {
  /// The descriptor table; aligned to 16.
  public let descriptors: UInt64
  /// The available (driver) ring; aligned to 2.
  public let available: UInt64
  /// The used (device) ring; aligned to 4.
  public let used: UInt64

  /// Takes the three.
  public init(descriptors: UInt64, available: UInt64, used: UInt64) {
    self.descriptors = descriptors
    self.available = available
    self.used = used
  }
}
