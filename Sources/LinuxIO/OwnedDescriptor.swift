internal import CLinuxUAPI
public import SystemPackage

/// A file descriptor that this value owns: `deinit` closes it (close(2)), whatever path the program takes.
///
/// Borrow it as `descriptor` for a call; `release()` it when something else takes it over. Every descriptor that this
/// project opens is CLOEXEC from birth.
public struct OwnedDescriptor: ~Copyable, Sendable {
  /// The descriptor, borrowed: valid no longer than its owner.
  public let descriptor: FileDescriptor

  /// Takes over `descriptor`, which nothing else may close from now on.
  public init(adopting descriptor: FileDescriptor) {
    self.descriptor = descriptor
  }

  /// fcntl(2) with F_DUPFD_CLOEXEC: a further descriptor of the same open file.
  public init(copying descriptor: FileDescriptor) throws(Errno) {
    self.init(adopting: FileDescriptor(rawValue: try check(mq_fcntl_dup_from(descriptor.rawValue, 3))))
  }

  /// The descriptor's number.
  public var rawValue: CInt { descriptor.rawValue }

  /// Closes now, so that the caller hears what close(2) has to say.
  public consuming func close() throws(Errno) {
    let descriptor = release()
    do {
      try descriptor.close()
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Gives the descriptor away: whoever takes it closes it.
  public consuming func release() -> FileDescriptor {
    let descriptor = self.descriptor
    discard self
    return descriptor
  }

  deinit {
    // Linux closes even when it reports an error; there is nothing left to do about one here.
    try? descriptor.close()
  }
}
