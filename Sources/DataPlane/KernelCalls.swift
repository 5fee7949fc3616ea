internal import LinuxIO
internal import SystemPackage

extension KernelInterface {
  /// write(2) of an array.
  internal func write(_ bytes: [UInt8], to descriptor: FileDescriptor) throws(Errno) {
    try unsafe bytes.withUnsafeBufferPointer { buffer throws(Errno) in
      _ = try unsafe write(descriptor, UnsafeRawBufferPointer(buffer))
    }
  }

  /// read(2) of one frame; nil where nothing is there (EAGAIN).
  internal func readFrame(from descriptor: FileDescriptor, atMost limit: Int = 4096) throws(Errno) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: limit)
    do throws(Errno) {
      let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
        try unsafe read(descriptor, into: UnsafeMutableRawBufferPointer(buffer))
      }
      return Array(bytes.prefix(count))
    } catch {
      if error == .wouldBlock || error == .interrupted { return nil }
      throw error
    }
  }
}

/// Runs a call; what it throws becomes the step that failed.
@discardableResult
internal func attempt<Result: ~Copyable>(
  _ step: String, _ body: @autoclosure () throws(Errno) -> Result
) throws(Verification.Step) -> Result {
  do {
    return try body()
  } catch {
    throw Verification.Step(step, "\(error)")
  }
}
