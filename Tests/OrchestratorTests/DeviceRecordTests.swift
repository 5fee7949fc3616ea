import Orchestrator
import Testing

@Suite struct DeviceRecordTests {
  @Test(arguments: [DeviceRecord(pairs: 1), DeviceRecord(pairs: 256, backpressure: true)])
  func roundTrip(_ record: DeviceRecord) {
    #expect(DeviceRecord(alias: record.alias) == record)
  }

  @Test(arguments: [
    nil, "", "mqctl", "mqctl pairs=0", "mqctl pairs=257", "mqctl pairs=8 x", "mqctl  pairs=8", "my tap",
  ])
  func nobodyElses(_ alias: String?) {
    #expect(DeviceRecord(alias: alias) == nil)
  }
}
