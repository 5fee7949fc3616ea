import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import SystemPackage
import TapMQ
import Testing

extension TunTests {
  /// What the code takes for granted of the tun driver, asked of the driver itself.
  @Suite struct KernelFact {
    @Test func aBoundDescriptorCannotBeBoundAgain() async throws {
      try await FreshNamespace.run {
        let queue = try RawTap.queue("tap0")
        for name in ["tap0", "tap1"] {
          #expect(RawTap.refusal { try RawTap.bind(queue, name, .multiQueueTap) } == .fileExists)
        }
        try RawTap.attach(queue, false)
        #expect(RawTap.refusal { try RawTap.bind(queue, "tap0", .multiQueueTap) } == .fileExists)
        try expectLinks(["lo", "tap0"])
      }
    }

    @Test func multiQueueMustAgree() async throws {
      try await FreshNamespace.run {
        let single: TapFlags = [.tap, .noPacketInformation, .vnetHeader]
        let many = try RawTap.queue("tap0")
        #expect(RawTap.refusal { _ = try RawTap.queue("tap0", single) } == .invalidArgument)
        let one = try RawTap.queue("tap1", single)
        #expect(RawTap.refusal { _ = try RawTap.queue("tap1") } == .invalidArgument)
        #expect(RawTap.refusal { _ = try RawTap.queue("tap1", single) } == .resourceBusy)
        _ = consume many
        _ = consume one
      }
    }

    @Test func exclusiveRefusesAnExistingName() async throws {
      try await FreshNamespace.run {
        let exclusive = TapFlags.multiQueueTap.union(.exclusive)
        let first = try RawTap.queue("tap0", exclusive)
        #expect(RawTap.refusal { _ = try RawTap.queue("tap0", exclusive) } == .resourceBusy)
        // The flag is not the device's: others may join without it.
        let second = try RawTap.queue("tap0")
        _ = consume first
        _ = consume second
        // Without a queue, but persistent.
        try mqctl("create", "tap1", "--pairs", "2", exits: 0)
        #expect(RawTap.refusal { _ = try RawTap.queue("tap1", exclusive) } == .resourceBusy)
      }
    }

    @Test func aTapTakes256Queues() async throws {
      try await FreshNamespace.run {
        let kernel = LinuxKernel()
        let name = try InterfaceName("tap0")
        var queues: [Descriptor] = []
        for index in 0..<256 {
          let queue = try TapQueue(name, index: index, kernel: kernel)
          // Detached ones count.
          if index % 2 == 0 { try queue.setAttached(false) }
          queues.append(Descriptor(queue.release()))
        }
        #expect(RawTap.refusal { _ = try TapQueue(name, kernel: kernel) } == Errno(rawValue: E2BIG))
        let device = try ShownDevice.named("tap0")
        #expect(device.attachedQueues == 128 && device.detachedQueues == 128)
        withExtendedLifetime(queues) {}
      }
    }

    @Test func attachingTwiceIsRefused() async throws {
      try await FreshNamespace.run {
        let queue = try RawTap.queue("tap0")
        #expect(RawTap.refusal { try RawTap.attach(queue, true) } == .invalidArgument)
        try RawTap.attach(queue, false)
        #expect(RawTap.refusal { try RawTap.attach(queue, false) } == .invalidArgument)
        try RawTap.attach(queue, true)
      }
    }

    @Test func otherFlagsOfALaterQueueAreIgnored() async throws {
      try await FreshNamespace.run {
        let first = try RawTap.queue("tap0")
        let second = try RawTap.queue("tap0", [.tap, .noPacketInformation, .multiQueue])
        #expect(try RawTap.flags(of: second).contains(.vnetHeader))
        #expect(try RawTap.flags(of: first) == RawTap.flags(of: second))
      }
    }

    @Test func theFirstOpenerRewritesAPersistentTapsFlags() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let links = try LinkSession()
        #expect(try links.link(named: InterfaceName("tap0"))?.tun?.vnetHeader == true)
        try ShownDevice.idle("tap0")
        let queue = try RawTap.queue("tap0", [.tap, .noPacketInformation, .multiQueue])
        #expect(try !RawTap.flags(of: queue).contains(.vnetHeader))
        #expect(try links.link(named: InterfaceName("tap0"))?.tun?.vnetHeader == false)
      }
    }

    @Test func aDetachedQueueKeepsTheCarrier() async throws {
      try await FreshNamespace.run {
        try mqctl("create", "tap0", "--pairs", "2", exits: 0)
        let links = try LinkSession()
        let name = try InterfaceName("tap0")
        func carrier() throws -> Bool? { try links.link(named: name)?.hasCarrier }
        #expect(try eventually { try carrier() == false })
        do {
          let queue = try RawTap.queue("tap0")
          #expect(try carrier() == true)
          try RawTap.attach(queue, false)
          #expect(try carrier() == true)
          _ = consume queue
        }
        #expect(try eventually { try carrier() == false })
      }
    }

    @Test func aHeaderSizeThatIsNonsenseIsTaken() async throws {
      try await FreshNamespace.run {
        let queue = try RawTap.queue("tap0")
        let kernel = LinuxKernel()
        var size: CInt = 11
        try kernel.ioctl(queue.descriptor, IoctlRequest("TUNSETVNETHDRSZ", MQ_TUNSETVNETHDRSZ), updating: &size)
        size = 0
        try kernel.ioctl(queue.descriptor, IoctlRequest("TUNGETVNETHDRSZ", MQ_TUNGETVNETHDRSZ), updating: &size)
        #expect(size == 11)
        // So TapQueue reads what it gets.
        let second = try TapQueue(InterfaceName("tap0"), kernel: kernel)
        #expect(RawTap.refusal { _ = try second.vnetHeaderSize() } == .invalidArgument)
      }
    }

    @Test func aLinkDeletedUnderItsQueuesLeavesThemDead() async throws {
      try await FreshNamespace.run {
        let queue = try RawTap.queue("tap0")
        try mqctl("delete", "tap0", "--force", exits: 0)
        #expect(RawTap.refusal { _ = try RawTap.flags(of: queue) } == Errno(rawValue: EBADFD))
      }
    }

    /// In an array, where a noncopyable owner cannot be.
    private final class Descriptor {
      private let owned: OwnedDescriptor

      init(_ descriptor: FileDescriptor) { owned = OwnedDescriptor(adopting: descriptor) }
    }
  }
}
