import Testing

@testable import VhostKernel

@Suite struct MemoryTableTests {
  /// struct vhost_memory: u32 nregions, u32 padding; then a region's guest_phys_addr, memory_size, userspace_addr and
  /// flags_padding, 64 bits each.
  @Test func bytesAsTheKernelReadsThem() {
    let table = MemoryTable([
      .init(guestAddress: 0x0102_0304_0506_0708, byteCount: 0x1000, userAddress: 0x7FFF_0000_2000),
      .init(guestAddress: 1 << 32, byteCount: 0x10_0000, userAddress: 0x10_0000_0000),
    ])
    let expected: [UInt8] = [
      2, 0, 0, 0, 0, 0, 0, 0,
      0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0, 0x10, 0, 0, 0, 0, 0, 0,
      0, 0x20, 0, 0, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]
    let bytes = table.words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    #expect(bytes == expected)
  }

  @Test func emptyTableIsItsHeader() {
    #expect(MemoryTable([]).words == [0])
  }

  @Test(arguments: [(WorkerKind.task, 1), (.kthread, 0)]) func workerKindsAreTheIoctlsByte(
    _ kind: WorkerKind, _ byte: Int
  ) {
    #expect(Int(kind.forkFromOwner) == byte)
  }
}
