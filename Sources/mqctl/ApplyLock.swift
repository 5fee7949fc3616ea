internal import LinuxIO
internal import SystemPackage

/// One `mqctl apply` at a time in a namespace: a lock that ends with this process.
struct ApplyLock: ~Copyable {
  private static let path = "/run/mqctl/lock"
  private let lock: RecordLock

  /// Takes the locks of all these namespaces, in an order of their own, so that no two wait for each other.
  static func take(_ namespaces: [FileIdentity], wait: Bool) throws(Failure) -> ApplyLock {
    let lock = ApplyLock(lock: try open())
    for byte in namespaces.map(\.inode).sorted() { try lock.take(byte, wait: wait) }
    return lock
  }

  private static func open() throws(Failure) -> RecordLock {
    do throws(Errno) {
      return try RecordLock(file: path)
    } catch {
      throw Failure(
        error == .permissionDenied ? .notPermitted : .other,
        "\(path), which keeps two of 'mqctl apply' apart: \(error)",
        mend: error == .permissionDenied ? "run as root" : "have /run writable")
    }
  }

  private func take(_ byte: UInt64, wait: Bool) throws(Failure) {
    let who: String
    do throws(Errno) {
      guard let holder = try lock.tryTake(byte: byte) else { return }
      who = holder > 0 ? "pid \(holder)" : "in another PID namespace"
      if wait {
        Output.note("mqctl: waiting for another 'mqctl apply' (\(who))")
        return try lock.take(byte: byte)
      }
    } catch {
      throw Failure(.other, "\(Self.path): \(error)")
    }
    throw Failure(.conflict, "another 'mqctl apply' is at work (\(who))", mend: "wait for it, or leave --no-wait out")
  }
}
