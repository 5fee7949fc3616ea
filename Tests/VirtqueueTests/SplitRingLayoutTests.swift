import Testing
import Virtqueue

@Suite struct SplitRingLayoutTests {
  /// virtio 1.2 §2.7: 16 bytes a descriptor, 6 + 2 an available entry, 6 + 8 a used one, aligned to 16, 2 and 4.
  @Test func offsetsAsTheSpecificationHasThem() throws {
    let layout = try #require(SplitRingLayout(size: 8, at: 5))
    #expect(layout.descriptors == 16)
    #expect(layout.available == 16 + 128)
    #expect(layout.used == 168)
    #expect(layout.end == 168 + 6 + 64)
  }

  @Test(arguments: [-1, 0, 3, 6, 65536]) func refusedSizes(_ size: Int) {
    #expect(SplitRingLayout(size: size) == nil)
  }
}
