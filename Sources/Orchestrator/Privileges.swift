internal import CCapability
public import LinuxIO
public import SystemPackage

/// Capabilities of this process, by libcap.
public enum Privileges {
  /// Gives every capability up, for good: the bounding set (where CAP_SETPCAP allows it; without that capability there
  /// was nothing to lose), the ambient set, then, as `user` if there is one, the permitted, effective and inheritable
  /// sets, and with no_new_privs any that an exec could bring back.
  public static func drop(becoming user: UserDatabase.User?) throws(Failure) {
    if has(CAP_SETPCAP) {
      for capability in 0..<cap_max_bits() where cap_get_bound(capability) == 1 {
        guard cap_drop_bound(capability) == 0 else { throw Failure("prctl(PR_CAPBSET_DROP)") }
      }
    }
    _ = cap_reset_ambient()
    if let user { try become(user) }
    let empty = unsafe cap_init()
    defer { unsafe cap_free(UnsafeMutableRawPointer(empty)) }
    guard unsafe cap_set_proc(empty) == 0 else { throw Failure("capset") }
    do {
      try ProcessControl.setNoNewPrivileges()
    } catch {
      throw Failure("prctl(PR_SET_NO_NEW_PRIVS)", error)
    }
  }

  /// Changes the user for good: all its groups, its own group, itself.
  public static func become(_ user: UserDatabase.User) throws(Failure) {
    do {
      try ProcessControl.become(user)
    } catch {
      throw Failure("setgroups, setgid, setuid", error)
    }
  }

  /// Whether this process has CAP_NET_ADMIN effective, which changing taps and links needs.
  public static var hasNetAdmin: Bool { has(CAP_NET_ADMIN) }

  /// Whether this process has CAP_NET_RAW effective, which a packet socket needs.
  public static var hasNetRaw: Bool { has(CAP_NET_RAW) }

  /// Which call failed.
  public struct Failure: Error {
    /// The call.
    public let call: String
    /// What it left.
    public let errno: Errno

    internal init(_ call: String, _ errno: Errno = Errno(rawValue: Privileges.lastErrno)) {
      self.call = call
      self.errno = errno
    }
  }

  private static func has(_ capability: cap_value_t) -> Bool {
    guard let own = unsafe cap_get_proc() else { return false }
    defer { unsafe cap_free(UnsafeMutableRawPointer(own)) }
    var value = CAP_CLEAR
    return unsafe cap_get_flag(own, capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET
  }

  internal static var lastErrno: CInt { ProcessControl.lastErrno }
}
