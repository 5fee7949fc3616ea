import Foundation
import Glibc
import LinuxIO
import SystemPackage
import TapMQ
import Testing

@testable import DataPlane

/// What a real QEMU with a real guest goes through on `mqctl serve`, whoever moves the frames.
struct ServeScenario: Sendable {
  let datapath: ServedTap.Datapath
  let pairs: Int
  /// How long a boot, or any one command, may take.
  let seconds: Int

  private static let megabytes = 64
  /// No checksum and no segment is left to somebody else, in either direction.
  private static let withoutOffloads = [
    "csum", "gso", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "host_tso4", "host_tso6",
    "host_ecn", "host_ufo", "mrg_rxbuf",
  ].map { $0 + "=off" }

  private func serve(
    _ name: String, _ path: ServedTap.Datapath? = nil, bridge: String? = nil
  ) throws -> ServedTap {
    try ServedTap(path ?? datapath, name, pairs: pairs, bridge: bridge, options: ["--user", "nobody"])
  }

  private func start(
    _ run: GuestRun, on served: ServedTap, properties: [String] = [], also more: [String] = []
  ) throws -> VhostUserGuest {
    try VhostUserGuest(
      run.words, pairs: pairs, on: served, properties: properties, also: more, seconds: Double(seconds))
  }

  private func checkFromOutside(_ guest: VhostUserGuest, on served: ServedTap, attached: Int) throws {
    let open = try openDescriptors(of: Int(guest.process.processID)).values
    #expect(!open.contains("/dev/net/tun") && !open.contains("/dev/vhost-net"), "\(open)")
    try served.expectThreads(pairs)
    let device = try ShownDevice.named(served.name)
    #expect(device.attachedQueues == attached, "\(device)")
    #expect(try GuestRun.pingGuest().code == 0)
  }

  /// Every pair carries its packets.
  func boot() throws {
    let run = try GuestRun(pairs: pairs, seconds: seconds)
    let served = try serve("tap0")
    try ip("address", "add", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", "dev", "tap0")
    let guest = try start(run, on: served)
    try guest.boot()
    try checkFromOutside(guest, on: served, attached: pairs)
    try guest.end()
    try served.expectIdle()
    let outcome = try served.end()
    #expect(!outcome.err.contains("refused"), "\(outcome)")
  }

  /// One server for all of it: a guest sends and receives with offloads and without, changes how many pairs it uses,
  /// reboots, and does the same again; then another one comes, whose device has no offloads at all.
  func life() throws {
    let run = try GuestRun(pairs: pairs, seconds: seconds, reboots: true)
    let served = try serve("tap0")
    try ip("address", "add", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", "dev", "tap0")
    let peer = try StreamPeer(seconds: 20 * Double(seconds))
    let guest = try start(run, on: served)
    for boot in 0..<2 {
      try guest.boot()
      try checkFromOutside(guest, on: served, attached: pairs)
      for (pair, isOn) in [true, false].enumerated() {
        let now = try guest.ask("offloads \(isOn ? "on" : "off")").answer
        #expect(now["txcsum"] == (isOn ? 1 : 0) && now["tso"] == (isOn ? 1 : 0), "\(now)")
        try guest.transfer(megabytes: boot == 0 ? Self.megabytes : 4, pair: pair % pairs, peer: peer)
      }
      for count in [1, pairs] {
        try guest.useChannels(count)
        try guest.ping(pairs: count)
        try checkFromOutside(guest, on: served, attached: count)
      }
      if boot == 0 { try guest.ask("reboot") }
    }
    try guest.end()
    try served.expectIdle()
    let plain = try start(run, on: served, properties: Self.withoutOffloads)
    try plain.boot()
    try plain.transfer(megabytes: Self.megabytes, pair: pairs - 1, peer: peer)
    try plain.end()
    try served.expectIdle()
    let outcome = try served.end()
    #expect(outcome.err.components(separatedBy: "has connected").count == 3, "\(outcome)")
    #expect(!outcome.err.contains("refused"), "\(outcome)")
  }

  /// A guest with a stream each way and pings under way moves to another QEMU, on another server and another tap of the
  /// same bridge, from one to the next of those whose frames are so moved, and in the end back to the first.
  func migration(through paths: [ServedTap.Datapath]) throws {
    let run = try GuestRun(pairs: pairs, seconds: seconds)
    try TapFixture.makeBridge("br0")
    try ip("address", "add", "\(GuestRun.hostAddress)/\(GuestRun.prefix)", "dev", "br0")
    try ip("link", "set", "br0", "up")
    let links = try LinkSession()
    let bridge = try #require(try links.link(named: InterfaceName("br0")))
    let places = try paths.enumerated().map { try serve("tap\($0)", $1, bridge: "br0") }
    let peer = try StreamPeer(seconds: 20 * Double(seconds))
    var guest = try start(run, hop: 0, at: places[0])
    try guest.boot()
    try guest.ask("stream start \(peer.port) \(Self.rate)")
    for hop in 1...places.count {
      let (here, there) = (places[hop - 1], places[hop % places.count])
      let announcements = try LinuxKernel().packetSocket(interfaceIndex: bridge.index, etherType: 0x8035)
      let next = try start(run, hop: hop, at: there)
      try monitor(hop - 1, at: here).migrate(to: Self.arrival(hop, at: there), seconds: Double(seconds))
      try Self.expectAnnouncement(on: announcements)
      guest.process.kill(SIGTERM)
      #expect(try guest.process.wait().code == 0)
      try here.expectIdle()
      guest = next
      try Self.expectProgress(of: guest)
      try guest.ping(pairs: pairs)
      try checkFromOutside(guest, on: there, attached: pairs)
    }
    let all = try guest.ask("stream stop").answer
    #expect(all["received_wrong"] == 0, "\(all)")
    for _ in 0..<2 {
      let end = try peer.result()
      let name = end.word == "sent" ? "received" : "sent"
      #expect(end["bytes"] == all[name] && end.values["hash"] == all.values["\(name)_hash"], "\(end) \(all)")
      #expect(end["wrong"] == 0, "\(end)")
    }
    try guest.end()
    for place in places {
      try place.expectIdle()
      let outcome = try place.end()
      #expect(!outcome.err.contains("refused"), "\(outcome)")
    }
  }

  /// Bytes a second of the stream under way, each way.
  private static let rate = 4_000_000

  /// A QEMU with a monitor, which from the first hop on waits for the guest to arrive. It is the host's part to announce
  /// that guest: it cannot itself.
  private func start(_ run: GuestRun, hop: Int, at place: ServedTap) throws -> VhostUserGuest {
    let incoming = hop == 0 ? [] : ["-incoming", "unix:\(Self.arrival(hop, at: place))"]
    return try start(
      run, on: place, properties: ["guest_announce=off"],
      also: QemuMonitor.words(at: place.path("monitor-\(hop)")) + incoming)
  }

  private func monitor(_ hop: Int, at place: ServedTap) throws -> QemuMonitor {
    try QemuMonitor(at: place.path("monitor-\(hop)"))
  }

  private static func arrival(_ hop: Int, at place: ServedTap) -> String { place.path("arrival-\(hop)") }

  /// The bridge has been told, by a RARP frame, where the guest is now.
  private static func expectAnnouncement(on socket: borrowing OwnedDescriptor) throws {
    #expect(try LinuxKernel().poll([socket.descriptor], milliseconds: 60_000)[0], "no RARP")
    let frame = try LinuxKernel().readFrame(from: socket.descriptor)
    #expect(frame.map { Array($0[6..<12]) } == VhostUserGuest.mac, "\(String(describing: frame))")
  }

  /// Streams and pings go on.
  private static func expectProgress(of guest: VhostUserGuest) throws {
    let names = ["sent", "received", "answered"]
    let first = try guest.ask("stream show").answer
    var last = first
    let goesOn = try eventually(seconds: 120) {
      last = try guest.ask("stream show").answer
      return names.allSatisfy { last[$0] > first[$0] }
    }
    #expect(goesOn && last["received_wrong"] == 0, "\(first) \(last)")
  }
}
