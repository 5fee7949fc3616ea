import TapMQ
import Testing

@Suite struct InterfaceNameTests {
  @Test(arguments: ["a", "tap0", "eth0.100", "fifteen-bytes-x", "ü"])
  func accepted(_ name: String) throws {
    #expect(try InterfaceName(name).description == name)
  }

  @Test(arguments: ["", ".", "..", "a b", "a/b", "a:b", "a,b", "tap%d", "sixteen-bytes-xx", "a\tb", "a\u{7f}", "a'b"])
  func refused(_ name: String) {
    #expect(throws: InterfaceName.Invalid.self) { try InterfaceName(name) }
  }
}

@Suite struct MACAddressTests {
  @Test func roundTrip() throws {
    #expect(try MACAddress("52:54:00:AB:cd:0e").description == "52:54:00:ab:cd:0e")
  }

  @Test(arguments: [
    "", "52:54:00:12:34", "52:54:00:12:34:56:78", "5254:00:12:34:56", "+1:54:00:12:34:56",
    "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "52-54-00-12-34-56",
  ])
  func refused(_ text: String) {
    #expect(throws: MACAddress.Invalid.self) { try MACAddress(text) }
  }

  @Test(arguments: [("fe:54:00:12:34:56", "52:54:00:12:34:56"), ("52:54:00:12:34:56", "56:54:00:12:34:56")])
  func guestSideDiffers(_ tap: String, _ guest: String) throws {
    #expect(try MACAddress(tap).guestSide.description == guest)
  }
}
