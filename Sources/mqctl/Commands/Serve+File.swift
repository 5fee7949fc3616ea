internal import Orchestrator
internal import Provisioning
internal import TapMQ

extension Serve {
  /// Whether an option was given that a file has too.
  var hasOptionsOfFiles: Bool {
    socket != nil || pairs != nil || user != nil || socketMode != nil || socketGroup != nil || datapath != .auto
      || busyPollUs != nil
  }

  /// This command in the words of a file. `--netns` says which tap of that name, where the file has several.
  func told(by file: String) throws(Failure) -> Serve {
    let entries = try ManifestOptions.read([file]).entries.filter {
      $0.spec.name == name && (namespace.namespace == nil || $0.namespace == namespace.namespace)
    }
    guard let entry = entries.first else {
      throw Failure(.usage, "\(file) names no tap '\(name)'", mend: "name one that it does")
    }
    guard entries.count == 1 else {
      throw Failure(.usage, "\(file) names \(entries.count) taps '\(name)'", mend: "say which by --netns")
    }
    guard let spec = entry.serve else {
      throw Failure(
        .usage, "\(file):\(entry.line): it does not say how to serve \(name)",
        mend: "write 'serve: {socket: PATH}' there")
    }
    var serve = self
    serve.from = nil
    serve.namespace.namespace = entry.namespace
    serve.socket = spec.socket
    serve.pairs = spec.pairs
    serve.user = spec.user
    serve.socketMode = spec.socketMode
    serve.socketGroup = spec.socketGroup
    serve.datapath = spec.datapath ?? .auto
    serve.busyPollUs = spec.busyPoll
    return serve
  }
}
