import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import SystemPackage
import TapMQ
import Testing
import VhostKernel

/// What the driver refuses, and with what, of a device that is owned.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostRefusalTests {
  private typealias Device = VhostNet<LinuxKernel>

  @Test func memoryTables() throws {
    let vhost = try Device(kernel: LinuxKernel())
    try vhost.setOwner()
    let limit = try #require(Int(FileTree.text(of: "/sys/module/vhost/parameters/max_mem_regions")))
    let memory = try LinuxKernel().mmap(byteCount: 4096 * (limit + 1))
    func table(_ count: Int) -> MemoryTable {
      MemoryTable(
        (0..<UInt64(count)).map {
          .init(guestAddress: $0 << 20, byteCount: 4096, userAddress: memory.address + 4096 * $0)
        })
    }
    try vhost.setMemoryTable(table(limit))
    #expect(
      refusal(vhost) { vhost throws(VhostError) in try vhost.setMemoryTable(table(limit + 1)) }
        == Errno(rawValue: E2BIG))
  }

  @Test func ringSizesAndAddresses() throws {
    let vhost = try Device(kernel: LinuxKernel())
    try vhost.setOwner()
    for size in [0, 3, 48, 0x8001, 0x10000] {
      #expect(
        refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.transmit, to: size) } == .invalidArgument
      )
    }
    for size in [1, 64, 0x8000] { try vhost.setVringNumber(.transmit, to: size) }
    let memory = try LinuxKernel().mmap(byteCount: 1 << 20)
    func addresses(_ descriptors: UInt64, _ available: UInt64, _ used: UInt64) -> VringAddresses {
      VringAddresses(
        descriptors: memory.address + descriptors, available: memory.address + available, used: memory.address + used)
    }
    try vhost.setVringAddresses(.transmit, addresses(0, 0x90002, 0xA0004))
    for wrong in [addresses(0, 0x90001, 0xA0000), addresses(0, 0x90000, 0xA0002)] {
      #expect(
        refusal(vhost) { vhost throws(VhostError) in try vhost.setVringAddresses(.transmit, wrong) } == .invalidArgument
      )
    }
    // The descriptor table's alignment is the one that it does not look at (drivers/vhost/vhost.c: vhost_vring_set_addr).
    try vhost.setVringAddresses(.transmit, addresses(1, 0x90000, 0xA0000))
    #expect(
      refusal(vhost) { vhost throws(VhostError) in try vhost.setFeatures(VhostFeatures(rawValue: 1 << 60)) }
        == .notSupported)
  }

  @Test func thereIsNoThirdRing() throws {
    let vhost = try Device(kernel: LinuxKernel())
    try vhost.setOwner()
    #expect(throws: Errno.noBufferSpace) {
      try LinuxKernel().ioctl(
        vhost.fileDescriptor, IoctlRequest("VHOST_SET_VRING_NUM", MQ_VHOST_SET_VRING_NUM),
        reading: vhost_vring_state(index: 2, num: 64))
    }
    #expect(throws: Errno.noBufferSpace) {
      try LinuxKernel().ioctl(
        vhost.fileDescriptor, IoctlRequest("VHOST_NET_SET_BACKEND", MQ_VHOST_NET_SET_BACKEND),
        reading: vhost_vring_file(index: 2, fd: -1))
    }
  }

  @Test func backends() async throws {
    try await FreshNamespace.run(Self.backendsInNamespace)
  }

  @Sendable private static func backendsInNamespace() throws {
    let vhost = try Device(kernel: LinuxKernel())
    let tap = try TapQueue(InterfaceName("tap0"), kernel: LinuxKernel())
    try tap.setVnetHeaderSize(.mergeable)
    let memory = try LinuxKernel().mmap(byteCount: 1 << 16)
    let event = try LinuxKernel().eventfd()
    try vhost.setOwner()
    try vhost.setFeatures(.version1)
    try vhost.setVringNumber(.transmit, to: 64)
    try vhost.setVringBase(.transmit, to: 0)
    func setAddresses(_ base: UInt64) throws(VhostError) {
      try vhost.setVringAddresses(
        .transmit, VringAddresses(descriptors: base, available: base + 0x1000, used: base + 0x2000))
    }
    func expect(_ errno: Errno, _ backend: FileDescriptor, _ location: SourceLocation = #_sourceLocation) {
      #expect(
        refusal(vhost) { vhost throws(VhostError) in try vhost.setBackend(.transmit, to: backend) } == errno,
        sourceLocation: location)
    }
    func table(_ byteCount: UInt64) -> MemoryTable {
      MemoryTable([.init(guestAddress: 1 << 32, byteCount: byteCount, userAddress: memory.address)])
    }
    try setAddresses(memory.address)
    // Without any table, and then with a ring that is not mapped (page 1 never is).
    expect(.badAddress, tap.fileDescriptor)
    try vhost.setMemoryTable(table(1 << 16))
    try setAddresses(0x1000)
    expect(.badAddress, tap.fileDescriptor)
    // A ring need not be in the table, only what its descriptors name: its addresses are the owner's already.
    try setAddresses(memory.address)
    try vhost.setMemoryTable(table(0x1000))
    try vhost.setBackend(.transmit, to: tap.fileDescriptor)
    try vhost.setBackend(.transmit, to: nil)
    try vhost.setMemoryTable(table(1 << 16))
    expect(.notSocket, event.descriptor)
    expect(.notSocket, vhost.fileDescriptor)

    try vhost.setBackend(.transmit, to: tap.fileDescriptor)
    #expect(
      refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.transmit, to: 128) } == .resourceBusy)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setVringBase(.transmit, to: 1) } == .resourceBusy)
    try vhost.setVringNumber(.receive, to: 128)
    try vhost.setBackend(.transmit, to: nil)
    try vhost.setVringNumber(.transmit, to: 128)
    let base = try vhost.vringBase(of: .transmit)
    #expect(base == 0)
    try vhost.resetOwner()
  }

  @Test func aMissingNodeIsNamed() {
    #expect(throws: VhostError("open /dev/vhost-net-none", errno: .noSuchFileOrDirectory)) {
      _ = try Device(opening: "/dev/vhost-net-none", kernel: LinuxKernel())
    }
  }
}
