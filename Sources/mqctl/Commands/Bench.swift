internal import ArgumentParser
internal import DataPlane
internal import Glibc
internal import LinuxIO
internal import LoadGenerator
internal import Orchestrator
internal import SystemPackage
internal import VhostKernel

struct Bench: ParsableCommand, ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how many packets queue pairs carry, and how that grows with their number.",
    discussion: """
      A software guest with a load generator for each pair, at the socket of a vhost-user back end: 'mqctl serve' on a tap \
      in a network namespace of its own, or any other with --through SOCKET. Nothing of it stays behind, whatever ends it.

        mqctl bench --pairs 1,2,4 --size 64,65536 --chart scaling.svg

      tx: frames leave the guest, and the network behind the tap drops them. rx: frames are sent to the tap. both: at once. \
      Latency is the round trip of one frame at a time on each pair, answered behind the tap, without other load. At a \
      SOCKET there is no tap: frames come back as the back end sends them. What each column means is in docs/bench.md. \
      Needs root, but for a SOCKET that this user may connect to.
      """)

  @Option(help: .init("How many queue pairs, one measurement each.", valueName: "n,..."))
  var pairs = "1,2,4,8"

  @Option(
    help: .init(
      "Bytes a frame, 60 to 65535; 65536 is taken for 65535, the most that Linux moves as one. Over 1514 it is TCP that the receiver may split (TSO).",
      valueName: "bytes,..."))
  var size = "64,1500,65536"

  @Option(help: .init("Any of tx, rx and both. Default: tx,rx; tx at a SOCKET.", valueName: "direction,..."))
  var direction: String?

  @Option(help: .init("How long each measurement takes.", valueName: "seconds"))
  var seconds = 2.0

  @Option(
    help: .init(
      "kernel (vhost-net), userspace (threads of 'mqctl serve'), or the path of a vhost-user socket. Default: kernel where there is vhost-net.",
      valueName: "kernel|userspace|socket"))
  var through: String?

  @Option(help: .init("Draw packets/s against pairs into an SVG file.", valueName: "file"))
  var chart: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    _ = try plan(.kernel)
    if case .socket(let path) = try backEnd(), path.isEmpty { throw ValidationError("--through: give a socket's path") }
  }

  func run() throws {
    let backEnd = try backEnd() ?? chooseBackEnd()
    let plan = try plan(backEnd)
    if backEnd == .kernel { try requireVhost() }
    let progress = ProgressLine()
    let outcome: LoadRun.Outcome
    do throws(LoadError) {
      outcome = try LoadRun.measure(plan) { progress.show($0) }
    } catch {
      progress.clear()
      throw Failure(error, backEnd)
    }
    progress.clear()
    let report = BenchReport(plan, outcome)
    guard !outcome.measurements.isEmpty else {
      let reason = report.omissions.first?.reason ?? "nothing was measured"
      throw Failure(.unsupported, "\(plan.backEnd.name): \(reason)", mend: "ask for what it has, or use another")
    }
    if let chart { try draw(outcome, plan, to: chart) }
    Output(json: output.json).report(report) { report.text }
  }

  // MARK: Words

  private func plan(_ backEnd: LoadPlan.BackEnd) throws -> LoadPlan {
    let pairs = try numbers("--pairs", pairs, in: 1...128, "a vhost-user back end has 1 to 128")
    let sizes = try numbers(
      "--size",
      size.split(separator: ",", omittingEmptySubsequences: false).map { $0 == "65536" ? "65535" : $0 }
        .joined(separator: ","), in: LoadFrame.sizeRange, "a frame has 60 to 65535 bytes")
    guard seconds >= 0.05, seconds <= 3600 else { throw ValidationError("--seconds \(seconds): give 0.05 to 3600") }
    var isSocket = false
    if case .socket = backEnd { isSocket = true }
    if case .socket = try self.backEnd() { isSocket = true }
    let words = direction?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let directions: [LoadPlan.Direction] =
      try words?.map { try oneOf($0) } ?? (isSocket ? [.transmit] : [.transmit, .receive])
    guard Set(directions).count == directions.count else { throw ValidationError("--direction: each may be said once") }
    guard !isSocket || directions == [.transmit] else {
      throw ValidationError(
        "--direction \(direction ?? ""): at a SOCKET there is no tap to send from, so it is tx, and what the back end sends back is counted too"
      )
    }
    return LoadPlan(pairs: pairs, sizes: sizes, directions: directions, seconds: seconds, backEnd: backEnd)
  }

  private func numbers(_ option: String, _ words: String, in range: ClosedRange<Int>, _ why: String) throws -> [Int] {
    let numbers = try words.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let number = Int(word), range.contains(number) else {
        throw ValidationError("\(option) \(words): \(why); several are separated by commas")
      }
      return number
    }
    guard Set(numbers).count == numbers.count else {
      throw ValidationError("\(option) \(words): each may be said once")
    }
    return numbers
  }

  private func backEnd() throws -> LoadPlan.BackEnd? {
    switch through {
    case .none: nil
    case "kernel": .kernel
    case "userspace": .userspace
    case .some(let path): .socket(path)
    }
  }

  private func chooseBackEnd() -> LoadPlan.BackEnd {
    do {
      _ = try VhostNet(kernel: LinuxKernel())
      return .kernel
    } catch {
      return .userspace
    }
  }

  private func requireVhost() throws(Failure) {
    do throws(VhostError) {
      _ = try VhostNet(kernel: LinuxKernel())
    } catch {
      let failure = Failure(error, pair: 0)
      throw Failure(
        failure.code, "\(error)",
        mend: failure.mend?.replacing("or give --vhost off", with: "or say --through userspace"))
    }
  }

  private func draw(_ outcome: LoadRun.Outcome, _ plan: LoadPlan, to path: String) throws(Failure) {
    let chart = LoadChart(
      title: "mqctl bench through \(plan.backEnd.name)",
      subtitle: "\(BenchReport.machine), \(plan.seconds) s each", outcome.measurements)
    do {
      let file = try unsafe FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try file.closeAfter { _ = try file.writeAll(chart.svg.utf8) }
    } catch {
      let errno = error as? Errno ?? .ioError
      throw Failure(
        errno == .permissionDenied ? .notPermitted : .other, "writing \(path): \(errno)", mend: "name another file")
    }
  }
}

/// One line on a terminal that says where a measurement is; nothing elsewhere.
private final class ProgressLine {
  private let isTerminal = isatty(2) == 1
  private var isShown = false

  func show(_ progress: LoadRun.Progress) {
    guard isTerminal else { return }
    isShown = true
    let text =
      "\r\u{1B}[Kmqctl: \(progress.done + 1) of \(progress.count): \(progress.pairs) pair(s), \(progress.size) B, "
      + progress.direction.rawValue
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }

  func clear() {
    guard isShown else { return }
    isShown = false
    _ = try? FileDescriptor.standardError.writeAll("\r\u{1B}[K".utf8)
  }
}

extension Failure {
  init(_ error: LoadError, _ backEnd: LoadPlan.BackEnd) {
    switch error {
    case .orchestrator(let error): self.init(error)
    case .system(let what, let errno):
      let isForbidden = errno == .notPermitted || errno == .permissionDenied
      self.init(
        isForbidden ? .notPermitted : .other, "\(what): \(errno)",
        mend: isForbidden ? "run as root: a tap of its own needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW" : nil)
    case .served(let code, let message, let mend):
      self.init(Code(rawValue: code) ?? .other, "mqctl serve: \(message)", mend: mend)
    case .ended(let text): self.init(.other, text, mend: "see 'mqctl doctor'")
    case .backEnd(let failure): self.init(failure, at: backEnd.name)
    }
  }

  private init(_ failure: FrontEndConnection.Failure, at name: String) {
    switch failure {
    case .system(let errno) where errno == .noSuchFileOrDirectory || errno == .connectionRefused:
      self.init(.other, "\(name): \(errno)", mend: "start the back end first, as the server of its socket")
    case .system(let errno) where errno == .permissionDenied || errno == .notPermitted:
      self.init(.notPermitted, "\(name): \(errno)", mend: "run as a user who may write to the socket")
    case .system(let errno): self.init(.other, "\(name): \(errno)")
    case .closed: self.init(.other, "\(name): the back end has closed the connection", mend: "see what it says itself")
    case .silent(let milliseconds):
      self.init(
        .other, "\(name): the back end has not answered for \(milliseconds / 1000) s",
        mend: "it may serve another front end already")
    case .refused(let message): self.init(.other, "\(name): the back end refused \(message)")
    case .lacks(let features):
      self.init(.unsupported, "\(name): the back end has no \(features.joined(separator: ", "))")
    case .violation(let violation): self.init(.other, "\(name): the back end's answer is none: \(violation)")
    }
  }
}
