internal import BasicContainers
internal import LinuxIO
internal import SystemPackage

/// Sends each pair's frames, sees them on the tap, answers, and waits for the answers.
internal struct ProbeExchange<Kernel: KernelInterface> {
  private let kernel: Kernel
  private let socket: FileDescriptor
  private let frames: Int
  private let patience: Int
  private let run = UInt64.random(in: .min ... .max)
  private let clock = ContinuousClock()

  init(kernel: Kernel, socket: FileDescriptor, frames: Int, patience: Int) {
    self.kernel = kernel
    self.socket = socket
    self.frames = frames
    self.patience = patience
  }

  /// Every port that is there, one after the other. A report that has a failure already stays as it is.
  func run<Port: GuestPort & ~Copyable>(
    _ ports: inout UniqueArray<Port?>, _ reports: inout [Verification.PairReport],
    _ progress: (Verification.PairReport) -> Void
  ) {
    for pair in 0..<ports.count {
      if var port = ports[pair].take() {
        var report = reports[pair]
        do throws(Verification.Step) {
          try exchange(pair, &port, &ports, &report)
        } catch {
          report.failure = error
        }
        reports[pair] = report
        ports[pair] = consume port
      }
      progress(reports[pair])
    }
  }

  private func exchange<Port: GuestPort & ~Copyable>(
    _ pair: Int, _ port: inout Port, _ others: inout UniqueArray<Port?>, _ report: inout Verification.PairReport
  ) throws(Verification.Step) {
    var times: [Duration] = []
    defer {
      if !times.isEmpty { report.medianMicroseconds = times.sorted()[times.count / 2] / .microseconds(1) }
    }
    for sequence in 0..<frames {
      let frame = ProbeFrame(
        run: run, pair: UInt16(pair), flow: UInt16(sequence) % ProbeFrame.flowLimit, sequence: UInt32(sequence))
      let start = clock.now
      try port.send(frame.bytes)
      report.sent += 1
      guard
        try waitFor(
          frame, on: socket,
          reading: { () throws(Verification.Step) in
            try attempt("read of the packet socket", kernel.readFrame(from: socket))
          })
      else {
        throw Verification.Step("TX", "frame \(sequence) left the guest and was not seen on the tap in \(patience) ms")
      }
      report.seen += 1
      guard try port.settle(milliseconds: patience) else {
        throw Verification.Step("TX", "vhost did not give frame \(sequence)'s buffer back in \(patience) ms")
      }
      try attempt("write to the packet socket", kernel.write(frame.answer.bytes, to: socket))
      report.answered += 1
      let arrival = port.arrival
      guard try waitFor(frame.answer, on: arrival, reading: { () throws(Verification.Step) in try port.receive() })
      else {
        let stray = find(frame.answer, in: &others).map { ", but came out of pair \($0)" } ?? ""
        throw Verification.Step(
          "RX", "the answer to frame \(sequence) did not come out of this pair's ring in \(patience) ms\(stray)")
      }
      report.received += 1
      times.append(clock.now - start)
    }
  }

  /// Reads until `frame` is there or patience ends. Other frames, such as the host's own chatter, are passed over.
  private func waitFor(
    _ frame: ProbeFrame, on descriptor: FileDescriptor, reading read: () throws(Verification.Step) -> [UInt8]?
  ) throws(Verification.Step) -> Bool {
    let deadline = clock.now + .milliseconds(patience)
    while true {
      while let bytes = try read() {
        if ProbeFrame(bytes) == frame { return true }
      }
      let left = deadline - clock.now
      guard left > .zero else { return false }
      _ = try attempt("poll", kernel.poll([descriptor], milliseconds: Int(left / .milliseconds(1)) + 1))
    }
  }

  /// Which other pair's ring has a frame; for the message only.
  private func find<Port: GuestPort & ~Copyable>(_ frame: ProbeFrame, in ports: inout UniqueArray<Port?>) -> Int? {
    for index in 0..<ports.count {
      if var port = ports[index].take() {
        var found = false
        while !found, let bytes = try? port.receive() { found = ProbeFrame(bytes) == frame }
        ports[index] = consume port
        if found { return index }
      }
    }
    return nil
  }
}
