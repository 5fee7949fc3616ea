import Testing

@testable import Hypervisor

@Suite struct HTTPMessageTests {
  private func read(_ text: String) -> HTTPResponse.Reading { HTTPResponse.read(Array(text.utf8)) }

  /// As Cloud Hypervisor's server writes it.
  private let answer =
    "HTTP/1.1 200 \r\nServer: Cloud Hypervisor API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
    + "Content-Length: 4\r\n\r\n[12]"

  @Test func requests() {
    #expect(
      String(decoding: HTTPRequest("GET", "/api/v1/vm.info").bytes, as: UTF8.self)
        == "GET /api/v1/vm.info HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")
    let put = HTTPRequest("PUT", "/api/v1/vm.remove-device", body: ["id": "ü"])
    #expect(
      String(decoding: put.bytes, as: UTF8.self)
        == "PUT /api/v1/vm.remove-device HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        + "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"id\":\"ü\"}")
    #expect(put.step == "vm.remove-device ü")
  }

  @Test func answersInPieces() {
    let bytes = Array(answer.utf8)
    for cut in 0..<bytes.count { #expect(HTTPResponse.read(Array(bytes[..<cut])) == .incomplete, "cut at \(cut)") }
    #expect(read(answer) == .complete(HTTPResponse(status: 200, body: Array("[12]".utf8))))
    #expect(
      read("HTTP/1.1 204 \r\nServer: x\r\n\r\n") == .complete(HTTPResponse(status: 204, body: [])))
  }

  @Test(arguments: [
    "x\r\n\r\n", "HTTP/2 200 \r\n\r\n", "HTTP/1.1 20 \r\n\r\n", "HTTP/1.1 -20 \r\n\r\n", "HTTP/1.1 200\r\nabc\r\n\r\n",
    "HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 5000000\r\n\r\n",
    "HTTP/1.1 200 \r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 \r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n",
    String(repeating: "a", count: HTTPResponse.maximumHead + 1),
  ])
  func whatNothingIs(_ text: String) {
    guard case .nonsense = read(text) else {
      Issue.record("taken: \(text.prefix(60))")
      return
    }
  }

  @Test func aMachine() throws {
    let text = """
      {"config": {"memory": {"size": 1, "shared": false, "hugepages": false, "zones": [{"id": "z", "shared": true}]},
       "net": [{"id": "tap0", "num_queues": 8, "mac": "52:54:00:00:00:01", "fds": [-1, -1]},
               {"id": "u", "num_queues": 4, "vhost_user": true, "vhost_socket": "/s"}, {"tap": "x"}]},
       "state": "Running", "device_tree": {"_disk0": {}, "tap0": {}}}
      """
    let machine = try #require(JSON(text.utf8).flatMap(CloudHypervisor.Machine.init))
    #expect(machine.isMemoryShared && machine.deviceIdentifiers == ["tap0", "u", "_disk0"])
    #expect(machine.nets.map(\.identifier) == ["tap0", "u"] && machine.nets.map(\.queues) == [8, 4])
    #expect(machine.nets.map(\.socket) == [nil, "/s"] && machine.nets.map(\.mac) == ["52:54:00:00:00:01", nil])
    #expect(CloudHypervisor.Machine([:]) == nil)
    let bare = try #require(CloudHypervisor.Machine(["config": [:]]))
    #expect(!bare.isMemoryShared && bare.nets.isEmpty && bare.deviceIdentifiers.isEmpty)
  }
}
