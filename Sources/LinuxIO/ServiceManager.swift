internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// What a service manager such as systemd and a service tell each other (sd_listen_fds(3), sd_notify(3)).
public enum ServiceManager {
  /// The sockets that were opened for this process: LISTEN_FDS of them from 3 on, if LISTEN_PID is this process's. They are
  /// made CLOEXEC. Empty where there is no such thing.
  public static func inheritedSockets() -> [FileDescriptor] {
    guard let owner = ProcessControl.environment("LISTEN_PID"), Int(owner) == ProcessControl.processID,
      let count = ProcessControl.environment("LISTEN_FDS").flatMap({ Int($0) }), (1...64).contains(count)
    else { return [] }
    return (3..<3 + CInt(count)).map { number in
      _ = fcntl(number, F_SETFD, FD_CLOEXEC)
      return FileDescriptor(rawValue: number)
    }
  }

  /// Sends `READY=1`, `STOPPING=1` or `STATUS=…` to NOTIFY_SOCKET. Without one nobody wants to know; nor does a manager
  /// that does not listen concern the service.
  public static func notify(_ text: String) {
    guard let path = ProcessControl.environment("NOTIFY_SOCKET") else { return }
    _ = unsafe mq_unix_datagram(path, text)
  }

  /// sigprocmask(2) and signalfd(2): SIGTERM and SIGINT no longer end this process but make the descriptor readable.
  public static func terminationDescriptor() throws(Errno) -> OwnedDescriptor {
    try owned(mq_termination_descriptor())
  }
}
