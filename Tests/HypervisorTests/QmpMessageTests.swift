import Testing

@testable import Hypervisor

@Suite struct QmpMessageTests {
  private func read(_ text: String) -> QmpMessage? { QmpMessage(line: Array(text.utf8)) }

  @Test func whatQemuSends() {
    #expect(
      read(
        #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": []}}"#)
        == .greeting(major: 7, minor: 2))
    #expect(read(#"{"return": {}, "id": 3}"#) == .result([:], id: 3))
    #expect(read(#"{"return": [1]}"#) == .result([1], id: nil))
    #expect(
      read(#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "DEVICE_DELETED", "data": {"device": "a"}}"#)
        == .event("DEVICE_DELETED", ["device": "a"]))
    #expect(read(#"{"event": "STOP"}"#) == .event("STOP", .null))
    guard case .error(let refusal, 5) = read(#"{"error": {"class": "GenericError", "desc": "a\nb\u001bc"}, "id": 5}"#)
    else {
      Issue.record("no error")
      return
    }
    // One line, whatever it holds.
    #expect(refusal.kind == "GenericError" && refusal.words == "a b c")
  }

  @Test(arguments: [
    "", "{}", "[]", "7", #"{"QMP": 1}"#, #"{"QMP": {"version": {"qemu": {"major": "7", "minor": 2}}}}"#,
    #"{"error": "no"}"#, #"{"error": {"class": 1, "desc": "x"}}"#, #"{"event": 1}"#, #"{"return": {}"#,
  ])
  func whatNothingIs(_ text: String) {
    #expect(read(text) == nil)
  }

  @Test func aCommandIsALine() {
    #expect(
      String(decoding: QmpCommand("getfd", ["fdname": "a\nb"]).line(id: 2), as: UTF8.self)
        == #"{"arguments":{"fdname":"a\nb"},"execute":"getfd","id":2}"# + "\n")
    #expect(String(decoding: QmpCommand("cont").line(id: 1), as: UTF8.self) == #"{"execute":"cont","id":1}"# + "\n")
    #expect(QmpCommand("netdev_add", ["id": "n", "type": "tap"]).step == "netdev_add n")
    #expect(QmpCommand("query-pci").step == "query-pci")
  }

  /// A stream cut anywhere gives the same lines.
  @Test func linesOfAStream() {
    let stream = Array("{\"a\":1}\r\n\nxy\n".utf8)
    for cut in 0...stream.count {
      var buffer = LineBuffer()
      var lines: [[UInt8]] = []
      for part in [stream[..<cut], stream[cut...]] {
        buffer.append(Array(part))
        while let line = buffer.next() { lines.append(line) }
      }
      #expect(lines == ["{\"a\":1}", "", "xy"].map { Array($0.utf8) }, "cut at \(cut)")
    }
    var buffer = LineBuffer()
    buffer.append([UInt8](repeating: 0x20, count: LineBuffer.maximumLine))
    #expect(buffer.next() == nil && !buffer.isOverfull)
    buffer.append([0x20])
    #expect(buffer.isOverfull)
  }

  /// Whatever bytes come, reading them ends, with a message or without.
  @Test func anyBytes() {
    let seeds = [
      #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}"#,
      #"{"error": {"class": "GenericError", "desc": "x"}, "id": 5}"#, #"{"event": "E", "data": {"device": "a"}}"#,
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[1]\n",
    ]
    var generator = SystemRandomNumberGenerator()
    for round in 0..<4000 {
      var bytes = Array(seeds[round % seeds.count].utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + 3))
        default: bytes.insert(contentsOf: bytes[place...].prefix(5), at: place)
        }
        if bytes.isEmpty { bytes = [0] }
      }
      if let message = QmpMessage(line: bytes), case .error(let refusal, _) = message {
        #expect(!refusal.words.contains { $0.isNewline })
      }
      if case .complete(let response) = HTTPResponse.read(bytes) {
        #expect((100...999).contains(response.status) || response.status < 100)
        #expect(response.body.count <= HTTPResponse.maximumBody)
      }
    }
  }
}
