internal import CRing
internal import Glibc
internal import LinuxIO
internal import Virtqueue

/// `ring RUNS`: the library's DriverRing against the one in C, each on a ring of its own with the same device behind it; then its
/// DeviceRing against one in C, with the same driver. They take turns; a line each: `ring`, `device` or `table`, `library` or `c`,
/// and nanoseconds a descriptor, or a frame where it is in a table of four.
@main
struct Ring {
  static let batches = 40_000
  static let batch = 64

  static func main() {
    let runs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 15
    // The first of each warms up.
    for run in 0...runs {
      let library = nanoseconds(FreshRing(size: 256)) { ring in ring.driveByLibrary() }
      let c = nanoseconds(FreshRing(size: 256)) { ring in ring.driveByC() }
      show("ring", run, library, c)
      for (name, pieces) in [("device", 1), ("table", 4)] {
        let library = nanoseconds(DeviceSide(pieces: pieces)) { ring in ring.driveByLibrary() }
        let c = nanoseconds(DeviceSide(pieces: pieces)) { ring in ring.driveByC() }
        show(name, run, library, c)
      }
    }
  }

  private static func show(_ name: String, _ run: Int, _ library: Double, _ c: Double) {
    guard run > 0 else { return }
    print("\(name)\tlibrary\t\(library)")
    print("\(name)\tc\t\(c)")
  }

  /// What one descriptor costs on a fresh ring.
  private static func nanoseconds<Side: ~Copyable>(
    _ ring: consuming Side, _ drive: (consuming Side) -> UInt64
  ) -> Double {
    let start = processorTime()
    let sum = drive(ring)
    let duration = processorTime() - start
    precondition(sum == UInt64(batches * batch * 1514), "a buffer was lost")
    return duration / Double(batches * batch)
  }

  /// Nanoseconds that this thread has run: others on the processor do not count.
  private static func processorTime() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
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
