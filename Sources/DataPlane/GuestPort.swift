internal import LinuxIO
internal import SystemPackage
internal import TapMQ

/// The guest's end of one queue pair, as the verification sees it: frames without their virtio-net header.
internal protocol GuestPort: ~Copyable {
  /// What becomes readable when a frame may have come.
  var arrival: FileDescriptor { get }

  /// Sends one frame towards the tap.
  mutating func send(_ frame: [UInt8]) throws(Verification.Step)

  /// Waits until the tap has taken every frame that was sent, and so knows which queue their flows came from: tun notes
  /// that only after it has passed a frame on. False if patience ends first.
  mutating func settle(milliseconds: Int) throws(Verification.Step) -> Bool

  /// The next frame that has come from the tap; nil if there is none.
  mutating func receive() throws(Verification.Step) -> [UInt8]?
}

/// A tap queue used by its descriptor alone.
internal struct TapPort<Kernel: KernelInterface>: GuestPort, ~Copyable {
  private let kernel: Kernel
  private let queue: FileDescriptor
  private let headerSize: VnetHeaderSize

  init(_ queue: borrowing TapQueue<Kernel>, headerSize: VnetHeaderSize, kernel: Kernel) {
    self.kernel = kernel
    self.queue = queue.fileDescriptor
    self.headerSize = headerSize
  }

  var arrival: FileDescriptor { queue }

  mutating func send(_ frame: [UInt8]) throws(Verification.Step) {
    let bytes = [UInt8](repeating: 0, count: headerSize.rawValue) + frame
    try attempt("write to the tap queue", kernel.write(bytes, to: queue))
  }

  /// write(2) returns when all is done.
  mutating func settle(milliseconds: Int) throws(Verification.Step) -> Bool { true }

  mutating func receive() throws(Verification.Step) -> [UInt8]? {
    let bytes = try attempt("read from the tap queue", kernel.readFrame(from: queue))
    return bytes.map { Array($0.dropFirst(headerSize.rawValue)) }
  }
}
