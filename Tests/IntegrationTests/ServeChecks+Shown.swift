import Foundation
import LinuxIO
import LinuxIOTesting
import TapMQ
import Testing

/// What others see of a served device: its carrier, and what `show` and `list` say of it.
extension ServeChecks {
  /// The carrier is there while a pair runs; with --keep-carrier always.
  func theCarrier(_ isKept: Bool) async throws {
    try await FreshNamespace.run {
      let served = isKept ? try ServedTap(datapath, pairs: 2, "--keep-carrier") : try ServedTap(datapath, pairs: 2)
      let links = try LinkSession()
      func carrier() throws -> Bool? { try links.link(named: InterfaceName("tap0"))?.hasCarrier }
      for _ in 0..<2 {
        #expect(try carrier() == isKept, "nobody has come yet, or somebody has gone")
        var guest = try FrontEnd(connectingTo: served.socket)
        try guest.negotiate()
        try guest.share(pairs: 2)
        try guest.setRingsUp()
        #expect(try carrier() == isKept, "no pair runs")
        try guest.enable(1)
        #expect(try carrier() == true)
        try guest.enable(0)
        try guest.enable(1, false)
        #expect(try carrier() == true, "pair 0 runs")
        try guest.enable(0, false)
        #expect(try carrier() == isKept, "no pair runs any more")
        for pair in 0...1 { try guest.enable(pair) }
        try guest.exchange(frames: 2, onTap: served.index)
        _ = consume guest
        try served.expectIdle()
      }
      _ = try served.end()
      #expect(try !ShownDevice.idle("tap0").carrier, "nobody has it open")
      // Who opens it next finds nothing left of it.
      try mqctl("verify", "tap0", "--vhost", "off", exits: 0)
    }
  }

  func showAndListSayWhoServesWhere() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: 3)
      try mqctl("create", "tap1", "--pairs", "1", exits: 0)
      func holder() throws -> ShownDevice.Holder {
        let holders = try ShownDevice.named("tap0").holders
        return try #require(holders.count == 1 ? holders[0] : nil, "\(holders)")
      }
      let devices = datapath == .kernel ? 3 : 0
      let idle = try holder()
      #expect(idle.pid == served.pid && idle.command == "mqctl" && idle.workers.isEmpty, "\(idle)")
      #expect(idle.attachedQueues == 0 && idle.detachedQueues == 3 && idle.vhostDescriptors == devices, "\(idle)")
      #expect(idle.served == .init(socket: served.socket, pairs: 3, connected: false), "\(idle)")

      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 3)
      try guest.enable(2, false)
      let busy = try holder()
      #expect(busy.attachedQueues == 2 && busy.detachedQueues == 1 && busy.workers.count == devices, "\(busy)")
      #expect(busy.served == .init(socket: served.socket, pairs: 3, connected: true), "\(busy)")
      let lines = try mqctl("show", "tap0", exits: 0).out
      #expect(lines.contains("mqctl (pid \(served.pid)): 2 queue(s), 1 detached, \(devices) vhost\n"), "\(lines)")
      #expect(lines.contains("\(served.socket): 3 pair(s), a front end is connected\n"), "\(lines)")
      let table = try mqctl("list", exits: 0).out.split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(table[0].suffix(4) == ["SERVED", "AT", "HELD", "BY"])
      #expect(table[1][2] == "2+1" && table[1].suffix(2) == ["\(served.socket)+", "mqctl(\(served.pid))"], "\(table)")
      #expect(table[2].first == "tap1" && table[2].suffix(2) == ["-", "-"], "\(table)")

      _ = consume guest
      try served.expectIdle()
      #expect(try holder().served?.connected == false)
      _ = try served.end()
      #expect(try ShownDevice.idle("tap0").holders.isEmpty)
    }
  }
}
