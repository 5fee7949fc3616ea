/// Why a file cannot be taken, and where.
public struct ManifestProblem: Error, Equatable, CustomStringConvertible {
  /// The file's name as it was given.
  public let file: String
  /// From 1; nil where it is about the file as a whole.
  public let line: Int?
  /// Such as `devices[2].mtu`; nil where it is about no key.
  public let key: String?
  /// What is wrong.
  public let what: String
  /// What to do about it.
  public let mend: String?

  internal init(file: String, line: Int?, key: String? = nil, _ what: String, mend: String?) {
    self.file = file
    self.line = line
    self.key = key
    self.what = what
    self.mend = mend
  }

  /// Such as `devices.yaml:7: devices[1].mtu: 70000 is out of range`, without the mend.
  public var description: String {
    "\(file)\(line.map { ":\($0)" } ?? ""): \(key.map { "\($0): " } ?? "")\(what)"
  }
}
