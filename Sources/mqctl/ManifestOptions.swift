internal import ArgumentParser
internal import LinuxIO
internal import Orchestrator
internal import Provisioning
internal import SystemPackage
internal import TapMQ

/// The files of `apply` and `plan`.
struct ManifestOptions: ParsableArguments {
  @Argument(help: .init("YAML or JSON, as docs/provisioning.md says; - for standard input.", valueName: "file"))
  var files: [String]

  @Flag(help: "Remove the taps that mqctl made and the files do not name, in every namespace that the files name.")
  var prune = false

  func read() throws(Failure) -> Manifest { try Self.read(files) }

  /// More than any file of devices has.
  private static let limit = 1 << 25

  static func read(_ files: [String]) throws(Failure) -> Manifest {
    var contents: [Manifest.File] = []
    for file in files {
      let bytes: [UInt8]
      do throws(Errno) {
        bytes = try FileTree.bytes(of: file == "-" ? "/dev/stdin" : file, limit: limit + 1)
      } catch {
        throw Failure(
          error == .permissionDenied ? .notPermitted : .other, "\(file): \(error)", mend: "name a file that can be read"
        )
      }
      guard bytes.count <= limit else {
        throw Failure(.usage, "\(file): it has more than \(limit >> 20) MiB", mend: "make it several files")
      }
      contents.append(Manifest.File(name: file, bytes: bytes))
    }
    do throws(ManifestProblem) {
      return try Manifest(contents)
    } catch {
      throw Failure(error)
    }
  }
}

/// A network namespace and what is to be in it.
final class Scope {
  /// In the file's words; nil for the command's own.
  let namespace: String?
  /// Tells namespaces apart, whatever they are called.
  let identity: FileIdentity
  private let descriptor: OwnedDescriptor
  private let provisioner: Provisioner<LinuxKernel, LinkSession>
  private var wanted: [Manifest.Entry] = []
  private var plan: Plan?

  /// Those that a manifest names, the command's own first.
  static func all(of manifest: Manifest) throws(Failure) -> [Scope] {
    var scopes = [try Scope(nil)]
    for (namespace, entries) in manifest.byNamespace {
      guard let namespace else {
        scopes[0].wanted += entries
        continue
      }
      try scopes[0].enter()
      let scope = try Scope(namespace)
      let known = scopes.first { $0.identity == scope.identity }
      if known == nil { scopes.append(scope) }
      try (known ?? scope).add(entries)
    }
    return scopes
  }

  private init(_ namespace: String?) throws(Failure) {
    self.namespace = namespace
    descriptor = try NamespaceOptions.open(namespace ?? "/proc/thread-self/ns/net")
    do {
      identity = try FileTree.identity(of: descriptor.descriptor)
    } catch {
      throw Failure(.other, "network namespace \(namespace ?? "of this process"): \(error)")
    }
    if let namespace { try NamespaceOptions.enter(descriptor, named: namespace) }
    provisioner = try openProvisioner()
  }

  /// One namespace may have two names, and a device of either.
  private func add(_ entries: [Manifest.Entry]) throws(Failure) {
    let names = Dictionary(wanted.map { ($0.spec.name, $0) }) { first, _ in first }
    if let (second, first) = entries.lazy.compactMap({ entry in names[entry.spec.name].map { (entry, $0) } }).first {
      throw Failure(
        .usage,
        "\(second.file):\(second.line): \(second.spec.name): it is there already, by \(first.file):\(first.line)",
        mend: "leave one out: netns \(second.namespace ?? "") is another name for \(first.namespace ?? "this one")")
    }
    wanted += entries
  }

  var steps: [Plan.Step] { plan?.steps ?? [] }
  var unchanged: Int { plan?.unchanged ?? 0 }

  private func enter() throws(Failure) {
    try NamespaceOptions.enter(descriptor, named: namespace ?? "of this process")
  }

  /// Looks at what is there.
  func plan(prune: Bool) throws(Failure) {
    plan = Plan(wanted.map(\.spec), on: try Failure.explain(try provisioner.survey()), prune: prune)
  }

  func check(force: Bool) throws(Failure) {
    guard let plan else { return }
    do throws(OrchestratorError) {
      try plan.check(through: provisioner, force: force)
    } catch {
      throw Failure(error)
    }
  }

  func carryOut(force: Bool, _ report: (Plan.Step, Plan.Outcome) -> Void) throws(Failure) {
    guard let plan, !plan.steps.isEmpty else { return }
    try enter()
    do throws(OrchestratorError) {
      try plan.carryOut(through: provisioner, force: force, report: report)
    } catch {
      throw Failure(error)
    }
  }
}
