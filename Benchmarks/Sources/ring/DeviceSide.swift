internal import CRing
internal import LinuxIO
internal import Virtqueue

/// The library's DeviceRing against the one in C, on a ring whose buffers stand there already: a frame each, in one descriptor or
/// in four of an indirect table, spread over four regions of the guest's memory.
@safe struct DeviceSide: ~Copyable {
  private static let size = 256
  private static let regionBytes = 1 << 20
  private static let tables = 1 << 19
  private let layout: SplitRingLayout
  private let memory: SharedMapping
  private var ring: ring_device
  private var regions: [ring_region]

  /// `pieces`: descriptors a frame.
  init(pieces: Int) {
    do throws {
      guard let layout = SplitRingLayout(size: Self.size) else { fatalError("256 is a size") }
      self.layout = layout
      memory = try LinuxKernel().mmap(byteCount: 4 * Self.regionBytes)
    } catch {
      fatalError("mmap: \(error)")
    }
    let start = unsafe memory.baseAddress
    unsafe ring = ring_device(
      table: (start + layout.descriptors).bindMemory(to: ring_desc.self, capacity: Self.size),
      available: (start + layout.available).assumingMemoryBound(to: UInt16.self),
      used: (start + layout.used).assumingMemoryBound(to: UInt16.self),
      mask: UInt16(Self.size - 1), last: 0)
    unsafe regions = []
    // A gap in the guest between each and the next.
    for index in 0..<4 {
      unsafe regions.append(
        ring_region(
          guest: UInt64(2 * index + 1) * UInt64(Self.regionBytes), count: UInt64(Self.regionBytes),
          base: (start + index * Self.regionBytes).assumingMemoryBound(to: CChar.self)))
    }
    for entry in 0..<Self.size { fill(entry, pieces: pieces) }
  }

  private func fill(_ entry: Int, pieces: Int) {
    unsafe ring.available[2 + entry] = UInt16(entry)
    // Eight frames a region: neighbours in the ring are mostly neighbours in memory, as they are in a guest.
    let region = unsafe regions[entry / 8 % 4].guest
    let buffer = region + (1 << 18) + UInt64(2048 * (entry % 64))
    guard pieces > 1 else {
      unsafe ring.table[entry] = ring_desc(address: buffer, length: 1514, flags: 0, next: 0)
      return
    }
    let table = Self.tables + 64 * entry
    for piece in 0..<pieces {
      let isLast = piece == pieces - 1
      let descriptor = ring_desc(
        address: buffer + UInt64(400 * piece), length: isLast ? UInt32(1514 - 12 * piece) : 12, flags: isLast ? 0 : 1,
        next: isLast ? 0 : UInt16(piece + 1))
      unsafe (memory.baseAddress + table + 16 * piece).storeBytes(of: descriptor, as: ring_desc.self)
    }
    unsafe ring.table[entry] = ring_desc(
      address: regions[0].guest + UInt64(table), length: UInt32(16 * pieces), flags: 4, next: 0)
  }

  /// The same loop as `ring_device_drive`.
  consuming func driveByLibrary() -> UInt64 {
    let start = unsafe memory.baseAddress
    let parts = unsafe DeviceRing.Parts(
      descriptors: start + layout.descriptors, available: start + layout.available, used: start + layout.used)
    let table = unsafe regions.map { unsafe GuestRegion(guestAddress: $0.guest, byteCount: $0.count, base: $0.base) }
    guard
      var device = unsafe DeviceRing(
        size: Self.size, parts: parts, regions: table, features: [.indirectDescriptors], base: 0)
    else { return 0 }
    var queue = ChainQueue()
    var sum: UInt64 = 0
    do throws(RingViolation) {
      for _ in 0..<Ring.batches {
        unsafe ring_offer(&ring, CInt(Ring.batch))
        guard try device.takeReadable(into: &queue, upTo: Ring.batch) == Ring.batch else { return 0 }
        while !queue.isEmpty {
          sum &+= UInt64(queue.first.byteCount)
          device.complete(&queue)
        }
        device.publish()
      }
    } catch { return 0 }
    return sum
  }

  consuming func driveByC() -> UInt64 {
    unsafe ring_device_drive(&ring, regions, CInt(regions.count), CInt(Ring.batches), CInt(Ring.batch))
  }
}
