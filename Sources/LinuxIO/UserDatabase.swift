internal import Glibc

/// Users and groups by name (getpwnam_r(3), getgrnam_r(3)). A number is taken as it is, without asking anyone.
public enum UserDatabase {
  /// A user as setuid(2) and its kin want one.
  public struct User: Sendable, Equatable {
    /// The user's number.
    public let id: UInt32
    /// The user's own group.
    public let group: UInt32
    /// Every group the user is in, `group` among them.
    public let groups: [UInt32]
  }

  /// The user of that name or number; nil if there is no such name. A number that has no entry is a user whose only
  /// group has the same number.
  public static func user(_ word: String) -> User? {
    if let number = number(word) {
      return User(id: number, group: number, groups: [number])
    }
    guard let (id, group) = lookUpUser(word) else { return nil }
    var count: CInt = 256
    var groups = [gid_t](repeating: 0, count: Int(count))
    if unsafe getgrouplist(word, group, &groups, &count) < 0 {
      groups = [gid_t](repeating: 0, count: Int(count))
      guard unsafe getgrouplist(word, group, &groups, &count) >= 0 else { return nil }
    }
    return User(id: id, group: group, groups: Array(groups.prefix(Int(count))))
  }

  /// The group of that name or number; nil if there is no such name.
  public static func group(_ word: String) -> UInt32? {
    if let number = number(word) { return number }
    return unsafe withBuffer { buffer in
      var entry = unsafe Glibc.group()
      var found: UnsafeMutablePointer<Glibc.group>?
      unsafe getgrnam_r(word, &entry, buffer.baseAddress!, buffer.count, &found)
      return unsafe found?.pointee.gr_gid
    }
  }

  /// The user's name; the number where there is none.
  public static func name(ofUser id: UInt32) -> String {
    unsafe withBuffer { buffer in
      var entry = unsafe passwd()
      var found: UnsafeMutablePointer<passwd>?
      unsafe getpwuid_r(id, &entry, buffer.baseAddress!, buffer.count, &found)
      return unsafe found.map { unsafe String(cString: $0.pointee.pw_name) }
    } ?? String(id)
  }

  // (uid_t)-1 and (gid_t)-1 mean "leave as it is" to the calls that take them: no user has that number.
  private static func number(_ word: String) -> UInt32? {
    guard word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt32(word), number != .max else {
      return nil
    }
    return number
  }

  private static func lookUpUser(_ name: String) -> (UInt32, UInt32)? {
    unsafe withBuffer { buffer in
      var entry = unsafe passwd()
      var found: UnsafeMutablePointer<passwd>?
      unsafe getpwnam_r(name, &entry, buffer.baseAddress!, buffer.count, &found)
      return unsafe found.map { unsafe ($0.pointee.pw_uid, $0.pointee.pw_gid) }
    }
  }

  private static func withBuffer<Result>(_ body: (UnsafeMutableBufferPointer<CChar>) -> Result?) -> Result? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 16) { buffer in unsafe body(buffer) }
  }
}
