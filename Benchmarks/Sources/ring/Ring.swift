internal import CRing
internal import LinuxIO
internal import Virtqueue

/// `ring RUNS`: the library's DriverRing against the one in C, each on a ring of its own with the same device behind it.
/// They take turns; a line each: `library` or `c`, and nanoseconds a descriptor.
@main
struct Ring {
  static let batches = 40_000
  static let batch = 64

  static func main() {
    let runs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 15
    // The first of each warms up.
    for run in 0...runs {
      let library = nanoseconds { ring in ring.driveByLibrary() }
      let c = nanoseconds { ring in ring.driveByC() }
      guard run > 0 else { continue }
      print("library\t\(library)")
      print("c\t\(c)")
    }
  }

  /// What one descriptor costs on a fresh ring.
  private static func nanoseconds(_ drive: (consuming FreshRing) -> UInt64) -> Double {
    let ring = FreshRing(size: 256)
    let clock = ContinuousClock()
    let start = clock.now
    let sum = drive(ring)
    let duration = clock.now - start
    precondition(sum == UInt64(batches * batch * 1514), "a buffer was lost")
    return Double(duration.components.attoseconds) / 1e9 / Double(batches * batch)
  }
}

/// Zeroed memory for a ring, and a device on it.
@safe struct FreshRing: ~Copyable {
  private let layout: SplitRingLayout
  private let memory: SharedMapping
  private var device: ring_device

  init(size: Int) {
    do throws {
      guard let layout = SplitRingLayout(size: size) else { fatalError("\(size) is no power of two") }
      self.layout = layout
      memory = try LinuxKernel().mmap(byteCount: layout.end)
    } catch {
      fatalError("mmap: \(error)")
    }
    let start = unsafe memory.baseAddress
    unsafe device = ring_device(
      table: (start + layout.descriptors).bindMemory(to: ring_desc.self, capacity: size),
      available: (start + layout.available).assumingMemoryBound(to: UInt16.self),
      used: (start + layout.used).assumingMemoryBound(to: UInt16.self),
      mask: UInt16(size - 1), last: 0)
  }

  /// The same loop as `ring_driver_run`.
  consuming func driveByLibrary() -> UInt64 {
    var ring = unsafe DriverRing(layout, in: memory.baseAddress)
    var sum: UInt64 = 0
    for _ in 0..<Ring.batches {
      for index in 0..<Ring.batch {
        let id = ring.add(address: 0x10000 &+ 2048 &* UInt64(index), length: 1514, deviceWrites: true)
        guard id != nil else { return 0 }
      }
      ring.publish()
      unsafe ring_device_run(&device)
      while let used = ring.takeUsed() { sum &+= UInt64(used.length) }
    }
    return sum
  }

  consuming func driveByC() -> UInt64 {
    unsafe withUnsafeTemporaryAllocation(of: UInt16.self, capacity: layout.size) { free in
      unsafe ring_driver_run(&device, free.baseAddress, CInt(Ring.batches), CInt(Ring.batch))
    }
  }
}
