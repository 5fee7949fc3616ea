internal import CLinuxUAPI
public import SystemPackage

/// epoll(7) for at most four descriptors, each by a number of its own from 0 to 3.
public struct EventPoll: ~Copyable, Sendable {
  private let poll: OwnedDescriptor

  /// What a descriptor is watched for. EPOLLERR and EPOLLHUP come unasked.
  public struct Interest: OptionSet, Sendable {
    /// EPOLL* as the kernel has them.
    public let rawValue: UInt32

    /// Any bits.
    public init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// EPOLLIN.
    public static let input = Interest(rawValue: 1)
    /// EPOLLOUT.
    public static let output = Interest(rawValue: 4)
    /// EPOLLET: what has been reported is not reported again before something more happens.
    public static let edge = Interest(rawValue: 1 << 31)
  }

  /// What has happened: EPOLL* of descriptor n in bits 8n to 8n + 7.
  public struct Ready: Sendable {
    /// The bits.
    public let rawValue: UInt32

    /// Takes the bits; none for nothing.
    @inlinable
    public init(rawValue: UInt32 = 0) {
      self.rawValue = rawValue
    }

    /// Whether anything has happened to the descriptor of that number.
    @inlinable
    public func contains(_ number: UInt32) -> Bool { rawValue >> (8 &* number) & 0xFF != 0 }
  }

  /// epoll_create1(2).
  public init() throws(Errno) {
    poll = try owned(mq_epoll_create())
  }

  /// EPOLL_CTL_ADD.
  public func add(_ descriptor: FileDescriptor, as number: UInt32, _ interest: Interest) throws(Errno) {
    try check(mq_epoll_control(poll.rawValue, 1, descriptor.rawValue, interest.rawValue, number))
  }

  /// EPOLL_CTL_MOD; what is already so is reported anew.
  public func change(_ descriptor: FileDescriptor, as number: UInt32, _ interest: Interest) throws(Errno) {
    try check(mq_epoll_control(poll.rawValue, 3, descriptor.rawValue, interest.rawValue, number))
  }

  /// EPOLL_CTL_DEL.
  public func remove(_ descriptor: FileDescriptor) throws(Errno) {
    try check(mq_epoll_control(poll.rawValue, 2, descriptor.rawValue, 0, 0))
  }

  /// epoll_wait(2): until something happens, or so many milliseconds (-1: for ever). Nothing, if a signal came.
  public func wait(milliseconds: Int) -> Ready {
    let result = mq_epoll_wait(poll.rawValue, CInt(truncatingIfNeeded: milliseconds))
    precondition(result >= 0 || result == FrameIO.interrupted, "epoll_wait: errno \(-result)")
    return Ready(rawValue: UInt32(truncatingIfNeeded: max(0, result)))
  }
}
