internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Waits for eventfds, without an allocation a wait (poll(2), eventfd(2)).
@safe public struct EventWaiter: ~Copyable {
  private let entries: UnsafeMutablePointer<pollfd>
  private let count: Int

  /// Borrows the descriptors, which do not block.
  public init(_ events: [FileDescriptor]) {
    count = events.count
    unsafe entries = .allocate(capacity: max(1, events.count))
    for (index, event) in events.enumerated() {
      unsafe (entries + index).initialize(to: pollfd(fd: event.rawValue, events: Int16(POLLIN), revents: 0))
    }
  }

  /// poll(2), then read(2) of those that were signalled, which makes them quiet again. False if time ran out.
  @discardableResult
  public func wait(milliseconds: Int) -> Bool {
    guard unsafe Glibc.poll(entries, nfds_t(count), CInt(clamping: milliseconds)) > 0 else { return false }
    for index in 0..<count where unsafe entries[index].revents != 0 {
      var counter: UInt64 = 0
      _ = unsafe Glibc.read(entries[index].fd, &counter, 8)
    }
    return true
  }

  /// write(2) of 1 to an eventfd.
  public static func signal(_ event: FileDescriptor) {
    var one: UInt64 = 1
    _ = unsafe Glibc.write(event.rawValue, &one, 8)
  }

  deinit {
    unsafe entries.deallocate()
  }
}
