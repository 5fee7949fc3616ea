internal import Hypervisor
internal import SystemPackage

extension Failure {
  /// Runs what throws a hypervisor's errors, and puts each into words.
  @discardableResult
  static func explain<Result: ~Copyable>(
    hypervisor body: @autoclosure () throws(HypervisorError) -> Result
  ) throws(Failure) -> Result {
    do {
      return try body()
    } catch {
      throw Failure(error)
    }
  }

  init(_ error: HypervisorError) {
    switch error {
    case .unreachable(let path, let errno):
      self.init(
        errno == .permissionDenied || errno == .notPermitted ? .notPermitted : .other, "\(path): \(errno)",
        mend: errno == .connectionRefused
          ? "nobody listens there any more: start the hypervisor with that socket"
          : "give the socket that the hypervisor was started with")
    case .silent(let step, let seconds):
      self.init(
        .other, "\(step): the hypervisor did not answer in \(seconds) s",
        mend: "QEMU serves one connection of a socket at a time: end the other, add a second -qmp, or raise --timeout")
    case .closed(let step):
      self.init(.other, "\(step): the hypervisor ended the connection", mend: "see whether it still runs")
    case .transport(let step, let errno):
      self.init(.other, "\(step): \(errno)")
    case .nonsense(let step, let what):
      self.init(
        .other, "\(step): what came is no answer: \(what)", mend: "see whether that is the hypervisor's socket")
    case .refused(let step, let words):
      self.init(.other, "\(step): \(words)", mend: Self.mend(forRefusal: words))
    case .conflict(let what, let mend):
      self.init(.conflict, what, mend: mend)
    case .memoryNotShared(let what, let mend):
      self.init(.conflict, "a vhost-user back end cannot map the guest's memory: \(what)", mend: mend)
    case .badProperty(let what):
      self.init(.usage, what, mend: "see 'qemu-system-x86_64 -device virtio-net-pci,help'")
    case .guestKeeps(let identifier, let seconds):
      self.init(
        .other, "the guest has not let device '\(identifier)' go in \(seconds) s: it is as it was, asked to go",
        mend:
          "see whether the guest runs and knows PCI hot-plug; then the same command again, or with a longer --timeout")
    case .guestRefuses(let identifier):
      self.init(
        .other, "the guest refuses to let device '\(identifier)' go", mend: "see what uses it there, then try again")
    case .backEnd(let socket, let what):
      self.init(
        .other, "\(socket): \(what)",
        mend: "serve it by 'mqctl serve NAME --socket \(socket)', and end other users of it")
    case .undone(let cause, let left):
      let inner = Failure(cause)
      let rest =
        left.isEmpty
        ? "what was done before is undone"
        : "left behind is \(left.joined(separator: ", ")), which the same command finds and mends"
      self.init(inner.code, "\(inner.message); \(rest)", mend: inner.mend)
    }
  }

  private static func mend(forRefusal words: String) -> String? {
    if words.contains("does not support hotplugging") {
      return "a q35 machine takes devices behind a port: start QEMU with -device pcie-root-port,id=rp0,chassis=1"
    }
    if words.contains("is not a netdev") {
      return
        "QEMU has kept half of a netdev that it could not finish, until it ends: give another --id and tap, or restart it"
    }
    return nil
  }
}
