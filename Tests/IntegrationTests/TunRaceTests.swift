import Glibc
import LinuxIO
import LinuxIOTesting
import Testing

/// Two at once, one killed at any moment, many in a row.
extension TunTests {
  @Suite struct Race {
    @Test func oneOfTwoMakesIt() async throws {
      try await FreshNamespace.run {
        for round in 0..<40 {
          let words = ["create", "tap0", "--pairs", "8", "--mtu", "9000", "--address", "192.0.2.1/24"]
          let both = try [0, 1].map { _ in try RunningProcess([Programs.mqctl] + words) }
          let outcomes = try both.map { try $0.wait() }
          #expect(outcomes.allSatisfy { $0.code == 0 }, "round \(round): \(outcomes)")
          #expect(
            outcomes.map(\.out).sorted() == ["tap0: already so\n", "tap0: created with 8 queue pair(s)\n"],
            "round \(round): \(outcomes)")
          #expect(
            try mqctl("create", "tap0", "--pairs", "8", "--mtu", "9000", "--address", "192.0.2.1/24", exits: 0).out
              == "tap0: already so\n")
          try expectLinks(["lo", "tap0"])
          try mqctl("delete", "tap0", exits: 0)
        }
      }
    }

    @Test func ofTwoDifferentOnesOneIsRefused() async throws {
      try await FreshNamespace.run {
        for round in 0..<40 {
          let both = try ["4", "8"].map { try RunningProcess([Programs.mqctl, "create", "tap0", "--pairs", $0]) }
          let outcomes = try both.map { try $0.wait() }
          #expect(outcomes.map(\.code).sorted() == [0, 3], "round \(round): \(outcomes)")
          let winner = outcomes[0].code == 0 ? 4 : 8
          #expect(try ShownDevice.named("tap0").pairs == winner)
          try expectLinks(["lo", "tap0"])
          try mqctl("delete", "tap0", exits: 0)
        }
      }
    }

    /// The kernel is the undo log: until a tap is persistent, its maker's end is its own.
    @Test func aKilledCreateLeavesAllOrNothing() async throws {
      try await FreshNamespace.run {
        try ip("link", "add", "br0", "type", "bridge")
        var whole = 0
        for round in 0..<60 {
          let words = [
            Programs.mqctl, "create", "tap0", "--pairs", "8", "--mtu", "9000", "--bridge", "br0", "--owner", "1",
          ]
          let maker = try RunningProcess(words)
          // From before its first call to after its last, in steps of a fraction of a millisecond.
          usleep(UInt32(round % 30) * 250)
          maker.kill()
          _ = try maker.wait()
          // What is not persistent goes with its last queue.
          #expect(
            try eventually {
              try linkNames() == ["br0", "lo"] || ip("-d", "link", "show", "tap0").contains("persist on")
            }, "round \(round)")
          if try linkNames().contains("tap0") {
            whole += 1
            let device = try ShownDevice.idle("tap0")
            #expect(device.pairs == 8 && device.mtu == 9000 && device.bridge == "br0" && device.owner == 1 && device.up)
            #expect(device.qdisc == "noqueue" && device.flags.contains("persist"))
            #expect(try Programs.run(words).out == "tap0: already so\n")
          } else {
            try expectLinks(["br0", "lo"])
            #expect(try Programs.run(words).out == "tap0: created with 8 queue pair(s)\n")
          }
          try mqctl("delete", "tap0", exits: 0)
        }
        print("killed 60 times while creating: \(whole) whole taps, \(60 - whole) none")
      }
    }

    @Test func manyRoundsLeaveNothing() async throws {
      try await FreshNamespace.run {
        let before = try linkNames()
        for _ in 0..<200 {
          try mqctl("create", "tap0", "--pairs", "8", exits: 0)
          try mqctl("delete", "tap0", exits: 0)
        }
        try expectLinks(before)
      }
    }

    /// A tap that goes while `list` looks is no failure.
    @Test func listWhileTapsComeAndGo() async throws {
      try await FreshNamespace.run {
        let churn = try RunningProcess([
          "sh", "-c", "while :; do \"$0\" create tap0 --pairs 2 && \"$0\" delete tap0; done >/dev/null", Programs.mqctl,
        ])
        for _ in 0..<50 {
          let outcome = try mqctl("list", "--json")
          #expect(outcome.code == 0, "\(outcome)")
        }
        churn.kill()
        #expect(try churn.wait().err.isEmpty)
      }
    }
  }
}
