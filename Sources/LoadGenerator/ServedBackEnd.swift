internal import DataPlane
internal import FoundationEssentials
internal import LinuxIO
internal import SystemPackage

/// `mqctl serve` of this same program, for one front end, on a socket that is nowhere in the file system.
///
/// It is killed when this process ends, however that may be; and it ends by itself once its front end has gone.
internal struct ServedBackEnd: ~Copyable {
  private var process: ForkedProcess
  private let errors: OwnedDescriptor
  /// Where it listens.
  let socket: String

  /// - Parameter datapath: `kernel` or `userspace`.
  init(tap: String, datapath: String) throws(LoadError) {
    do throws(Errno) {
      let listener = try UnixStream.listenUnnamed()
      let pipe = try Pipe()
      let words = ["/proc/self/exe", "serve", tap, "--once", "--keep-carrier", "--json", "--datapath", datapath]
      process = try ForkedProcess { Self.become(words, listener.socket.descriptor, pipe.writeEnd.descriptor) }
      socket = listener.name
      errors = pipe.takeReadEnd()
    } catch {
      throw .system("starting mqctl serve", error)
    }
  }

  var processID: Int { process.processID }

  /// Readable once it has ended.
  var descriptor: FileDescriptor { process.descriptor }

  /// In the child: the socket as a service manager hands it over, errors into the pipe.
  private static func become(_ words: [String], _ listener: FileDescriptor, _ errors: FileDescriptor) -> Int32 {
    do {
      try ProcessControl.redirect(.standardError, to: errors)
      try ProcessControl.arrangeInherited([listener])
      try ProcessControl.setEnvironment("LISTEN_FDS", to: "1")
      try ProcessControl.setEnvironment("LISTEN_PID", to: String(ProcessControl.processID))
      // It is no service's main process.
      try ProcessControl.setEnvironment("NOTIFY_SOCKET", to: "")
      try ProcessControl.execute(words)
    } catch {
      return 1
    }
  }

  /// What it said when it gave up; waits for its end.
  mutating func failure() -> LoadError {
    process.signal(15)
    let ending = process.wait()
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    if let count = try? unsafe buffer.withUnsafeMutableBytes({ bytes in
      try unsafe LinuxKernel().read(errors.descriptor, into: bytes)
    }) {
      text = String(decoding: buffer.prefix(count), as: UTF8.self)
    }
    guard case .code(let code) = ending, code != 0,
      let line = text.split(separator: "\n").last(where: { $0.contains("\"error\"") }),
      let report = try? JSONDecoder().decode(Report.self, from: Data(line.utf8))
    else {
      let last = text.split(separator: "\n").last.map { ": \($0)" } ?? ""
      return .ended("mqctl serve has ended by \(ending)\(last)")
    }
    return .served(code: code, message: report.error.message, mend: report.error.mend)
  }

  private struct Report: Decodable {
    struct Fields: Decodable {
      let message: String
      let mend: String?
    }
    let error: Fields
  }
}
