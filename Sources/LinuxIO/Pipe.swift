internal import CLinuxUAPI
public import SystemPackage

/// pipe2(2), both ends CLOEXEC.
public struct Pipe: ~Copyable {
  /// Where what was written comes out.
  public let readEnd: OwnedDescriptor
  /// Where it goes in.
  public let writeEnd: OwnedDescriptor

  /// Makes one.
  public init() throws(Errno) {
    var ends: [CInt] = [-1, -1]
    try check(unsafe mq_pipe(&ends))
    readEnd = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[0]))
    writeEnd = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[1]))
  }

  /// Only the one; the other is closed.
  public consuming func takeReadEnd() -> OwnedDescriptor { readEnd }
}
