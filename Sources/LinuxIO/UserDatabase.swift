internal import CLinuxUAPI
internal import Glibc
internal import SystemPackage

/// Users and groups by name: from /etc/passwd and /etc/group, and by getent(1) where those do not know one. A number is
/// taken as it is, without asking anyone.
///
/// Not by getpwnam_r(3) and its kin: in a static program they load the machine's NSS modules, and crash in them.
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
    guard let entry = find(word, in: "passwd", column: 0), let id = number(entry.fields, 2),
      let group = number(entry.fields, 3)
    else { return nil }
    let others = entry.isLocal ? localGroups(of: word) : foreignGroups(of: word)
    return User(id: id, group: group, groups: [group] + others.filter { $0 != group })
  }

  /// The group of that name or number; nil if there is no such name.
  public static func group(_ word: String) -> UInt32? {
    if let number = number(word) { return number }
    return find(word, in: "group", column: 0).flatMap { number($0.fields, 2) }
  }

  /// The user's name; the number where there is none.
  public static func name(ofUser id: UInt32) -> String {
    find(String(id), in: "passwd", column: 2)?.fields[0] ?? String(id)
  }

  // (uid_t)-1 and (gid_t)-1 mean "leave as it is" to the calls that take them: no user has that number.
  private static func number(_ word: String) -> UInt32? {
    guard !word.isEmpty, word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt32(word),
      number != .max
    else { return nil }
    return number
  }

  private static func number(_ fields: [String], _ column: Int) -> UInt32? {
    fields.count > column ? number(fields[column]) : nil
  }

  private struct Entry {
    let fields: [String]
    /// Whether it is in the file.
    let isLocal: Bool
  }

  private static func find(_ value: String, in database: String, column: Int) -> Entry? {
    if let fields = entries(of: database).first(where: { $0.count > column && $0[column] == value }) {
      return Entry(fields: fields, isLocal: true)
    }
    // Its databases may be anywhere: LDAP, systemd's. A name may not look like an option, nor end the line.
    let line = output(of: ["/usr/bin/getent", database, "--", value]).split(separator: "\n").first
    guard let fields = line.map(split), fields.count > column, fields[column] == value else { return nil }
    return Entry(fields: fields, isLocal: false)
  }

  private static func localGroups(of user: String) -> [UInt32] {
    entries(of: "group").filter { $0.count > 3 && $0[3].split(separator: ",").contains { $0 == user } }
      .compactMap { number($0, 2) }
  }

  /// `getent initgroups` prints the name, then the numbers.
  private static func foreignGroups(of user: String) -> [UInt32] {
    output(of: ["/usr/bin/getent", "initgroups", "--", user]).split { $0 == " " || $0 == "\n" }.dropFirst()
      .compactMap { number(String($0)) }
  }

  private static func entries(of database: String) -> [[String]] {
    ((try? FileTree.text(of: "/etc/\(database)", limit: 1 << 24)) ?? "").split(separator: "\n").map(split)
  }

  private static func split(_ line: Substring) -> [String] {
    line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
  }

  /// What a program prints; nothing where it cannot be run.
  private static func output(of words: [String]) -> String {
    var ends: (CInt, CInt) = (-1, -1)
    guard unsafe withUnsafeMutableBytes(of: &ends, { unsafe mq_pipe($0.bindMemory(to: CInt.self).baseAddress!) }) == 0
    else { return "" }
    let reader = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends.0))
    let writer = OwnedDescriptor(adopting: FileDescriptor(rawValue: ends.1))
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, writer.rawValue, 1)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var process: pid_t = 0
    guard unsafe posix_spawn(&process, words[0], &actions, nil, &arguments, environ) == 0 else { return "" }
    try? writer.close()
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe read(reader.rawValue, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    var status: CInt = 0
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status == 0 ? String(decoding: bytes, as: UTF8.self) : ""
  }
}
