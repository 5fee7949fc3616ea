internal import SystemPackage
internal import TapMQ
internal import VhostKernel

/// Something that a front end asked for and that was not done.
public struct PlaneError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What it was, and why it was not done.
  public let description: String

  internal init(_ what: String, _ why: String) {
    description = "\(what): \(why)"
  }

  internal init(_ what: String, _ errno: Errno) {
    self.init(what, "\(errno)")
  }

  internal init(_ error: VhostError, pair: Int) {
    description = "pair \(pair): \(error)"
  }

  internal init(_ error: TapError) {
    description = "\(error)"
  }
}
