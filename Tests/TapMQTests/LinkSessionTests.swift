import CLinuxUAPI
import Foundation
import Glibc
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing

@testable import TapMQ

/// rtnetlink on the real kernel: what a link tells, and what a link takes.
@Suite(.enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
struct LinkSessionTests {
  @Test func linkByName() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      #expect(try session.link(named: InterfaceName("mq0")) == nil)
      let queue = try Tun.queue("mq0")
      let link = try session.existing("mq0")
      #expect(link.name == "mq0" && link.index > 1 && link.kind == "tun" && link.mtu == 1500)
      #expect(!link.isUp && link.master == nil && link.alias == nil && link.mac != nil)
      #expect(link.qdisc == "noop" && link.transmitQueues == 256)
      try queue.close()
      try session.await("mq0") { $0 == nil }
    }
  }

  @Test func everyLinkInOrder() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      #expect(try session.links().map(\.name) == ["lo"])
      #expect(try session.links().first?.kind == nil)
      let names = (0..<40).map { "mq\($0)" }
      for name in names {
        try Tun.set(Tun.queue(name), MQ_TUNSETPERSIST, 1)
      }
      // More than one receive buffer of answers.
      let links = try session.links()
      #expect(links.map(\.name) == ["lo"] + names)
      #expect(links.map(\.index) == links.map(\.index).sorted())
      #expect(try links.last == session.existing("mq39"))
    }
  }

  @Test func changesReadBack() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      try Bridge.add("br0")
      let bridge = try session.existing("br0")
      #expect(bridge.kind == "bridge" && bridge.tun == nil)
      let index = try session.existing("mq0").index
      let mac = try MACAddress("fe:54:00:12:34:56")

      try session.change(
        index, named: "mq0",
        LinkChange(
          name: InterfaceName("mq1"), mac: mac, mtu: 9000, master: bridge.index, alias: "guest é", isUp: true))
      #expect(try session.link(named: InterfaceName("mq0")) == nil)
      var link = try session.existing("mq1")
      #expect(link.index == index && link.mac == mac && link.mtu == 9000 && link.master == bridge.index)
      #expect(link.alias == "guest é" && link.isUp && link.hasCarrier)

      // What is nil stays.
      try session.change(index, named: "mq1", LinkChange())
      #expect(try session.existing("mq1") == link)

      try session.change(index, named: "mq1", LinkChange(master: 0, alias: "", isUp: false))
      link = try session.existing("mq1")
      #expect(link.master == nil && link.alias == nil && !link.isUp && link.mac == mac && link.mtu == 9000)
      try queue.close()
    }
  }

  @Test func carrierGoesWithTheLastQueue() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      try Tun.set(queue, MQ_TUNSETPERSIST, 1)
      let index = try session.existing("mq0").index
      try session.change(index, named: "mq0", LinkChange(isUp: true))
      #expect(try session.existing("mq0").hasCarrier)
      try queue.close()
      try session.await("mq0") { $0?.tun?.attachedQueues == 0 }
      let link = try session.existing("mq0")
      #expect(link.isUp && !link.hasCarrier)
      #expect(link.tun?.attachedQueues == 0)
    }
  }

  @Test func aliasOf255BytesAndNoMore() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      let index = try session.existing("mq0").index
      let longest = String(repeating: "a", count: 255)
      try session.change(index, named: "mq0", LinkChange(alias: longest))
      #expect(try session.existing("mq0").alias == longest)
      #expect(throws: TapError("RTM_SETLINK", interface: "mq0", errno: .outOfRange)) {
        try session.change(index, named: "mq0", LinkChange(alias: longest + "a"))
      }
      // Not even a message can hold it.
      #expect(throws: TapError("RTM_SETLINK", interface: "mq0", errno: .messageTooLong)) {
        try session.change(index, named: "mq0", LinkChange(alias: String(repeating: "a", count: 70_000)))
      }
      #expect(try session.existing("mq0").alias == longest)
      try queue.close()
    }
  }

  @Test func tunAttributes() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let first = try Tun.queue("mq0")
      let second = try Tun.queue("mq0")
      let third = try Tun.queue("mq0")
      #expect(
        try session.existing("mq0").tun
          == TunInfo(vnetHeader: true, persistent: false, multiQueue: true, attachedQueues: 3, detachedQueues: 0))
      try Tun.set(first, MQ_TUNSETPERSIST, 1)
      try Tun.set(first, MQ_TUNSETOWNER, 1234)
      try Tun.set(first, MQ_TUNSETGROUP, 5678)
      try Tun.detach(second)
      #expect(
        try session.existing("mq0").tun
          == TunInfo(
            isTap: true, packetInformation: false, vnetHeader: true, persistent: true, multiQueue: true, owner: 1234,
            group: 5678, attachedQueues: 2, detachedQueues: 1))
      try third.close()
      try second.close()
      try first.close()
      // A child that another test has between fork and exec may have the queues a moment longer.
      var open = 3
      for _ in 0..<500 where open > 0 {
        open = try session.existing("mq0").tun?.openQueues ?? 0
        usleep(10_000)
      }
      #expect(open == 0)
    }
  }

  @Test func singleQueueTunTellsOfNoQueues() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("tun0", flags: TapFlags(rawValue: 0x0001))
      let link = try session.existing("tun0")
      #expect(
        link.tun
          == TunInfo(
            isTap: false, packetInformation: true, vnetHeader: false, persistent: false, multiQueue: false,
            attachedQueues: nil, detachedQueues: nil))
      #expect(link.mac == nil && link.transmitQueues == 1)
      try queue.close()
    }
  }

  @Test func noqueueBeforeItGoesUp() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      let plain = try Tun.queue("mq1")
      let index = try session.existing("mq0").index
      try session.setRootQdisc(index, named: "mq0", kind: "noqueue")
      #expect(try session.existing("mq0").qdisc == "noqueue")
      try session.change(index, named: "mq0", LinkChange(isUp: true))
      #expect(try session.existing("mq0").qdisc == "noqueue")
      // Said twice it is as said once, and down and up again keeps it.
      try session.setRootQdisc(index, named: "mq0", kind: "noqueue")
      try session.change(index, named: "mq0", LinkChange(isUp: false))
      try session.change(index, named: "mq0", LinkChange(isUp: true))
      #expect(try session.existing("mq0").qdisc == "noqueue")

      let other = try session.existing("mq1").index
      try session.change(other, named: "mq1", LinkChange(isUp: true))
      #expect(try session.existing("mq1").qdisc != "noqueue")
      try queue.close()
      try plain.close()
    }
  }

  @Test func addressesOfBothFamilies() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      let other = try Tun.queue("mq1")
      let index = try session.existing("mq0").index
      let otherIndex = try session.existing("mq1").index
      #expect(try session.addresses(of: index) == [])
      // Up, so that the kernel adds a link-local address of its own, which is not to be listed.
      try session.change(index, named: "mq0", LinkChange(isUp: true))
      let addresses = try ["192.0.2.1/24", "198.51.100.7/32", "2001:db8::1/64"].map { text in
        try InterfaceAddress(text)
      }
      for address in addresses {
        try session.addAddress(address, to: index, named: "mq0")
      }
      try session.addAddress(InterfaceAddress("203.0.113.1/24"), to: otherIndex, named: "mq1")
      let sixes = try String(contentsOfFile: "/proc/thread-self/net/if_inet6", encoding: .utf8)
      #expect(sixes.contains("fe80"), "the kernel's own link-local address")
      #expect(try session.addresses(of: index) == addresses)
      #expect(try session.addresses(of: otherIndex).map(\.description) == ["203.0.113.1/24"])

      for address in addresses {
        #expect(throws: TapError("RTM_NEWADDR", interface: "mq0", errno: .fileExists)) {
          try session.addAddress(address, to: index, named: "mq0")
        }
      }
      try queue.close()
      try other.close()
    }
  }

  @Test func deletedWithItsQueuesOpen() async throws {
    try await FreshNamespace.run {
      let session = try LinkSession()
      let queue = try Tun.queue("mq0")
      try session.delete(session.existing("mq0").index, named: "mq0")
      #expect(try session.link(named: InterfaceName("mq0")) == nil)
      try queue.close()
    }
  }
}
