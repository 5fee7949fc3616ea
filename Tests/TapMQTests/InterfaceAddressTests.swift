import TapMQ
import Testing

@Suite struct InterfaceAddressTests {
  @Test(arguments: [
    ("192.0.2.1/24", "192.0.2.1/24"),
    ("192.0.2.1", "192.0.2.1/32"),
    ("192.0.2.1/32", "192.0.2.1/32"),
    ("192.0.2.0/31", "192.0.2.0/31"),
    ("10.0.0.255/8", "10.0.0.255/8"),
    ("10.0.1.0/23", "10.0.1.0/23"),
    ("169.254.1.2/16", "169.254.1.2/16"),
    ("192.0.2.1/010", "192.0.2.1/10"),
    ("2001:db8::1/64", "2001:db8::1/64"),
    ("2001:DB8:0:0:0:0:0:0001", "2001:db8::1/128"),
    ("2001:db8::/127", "2001:db8::/127"),
    ("fe80::1/64", "fe80::1/64"),
  ])
  func accepted(_ text: String, _ canonical: String) throws {
    let address = try InterfaceAddress(text)
    #expect(address.description == canonical)
    #expect(try InterfaceAddress(canonical) == address)
  }

  @Test(arguments: [
    "", "/", "/24", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/0", "192.0.2.1/-1", "192.0.2.1/+24", "192.0.2.1/24/1",
    "192.0.2.1/0x18", "192.0.2.1/255.255.255.0", "192.0.2.1/ 24", "192.0.2.1/२४", " 192.0.2.1", "192.0.2",
    "192.0.2.256",
    "192.0.2.1.1", "default", "any", "all", "none", "localhost", "dead", "52:54:00:12:34:56", "2001:db8::1/129",
    "2001:db8::1/0", "2001:db8:::1", "fe80::1%eth0", "2001:db8::g", "192.0.2.1\0/24", "1:2:3:4:5:6:7",
  ])
  func unreadable(_ text: String) {
    #expect(throws: InterfaceAddress.Invalid.self) { try InterfaceAddress(text) }
  }

  @Test(arguments: [
    ("192.0.2.0/24", "network"), ("10.0.0.0/9", "network"), ("2001:db8::/64", "network"), ("2001:db8::/126", "network"),
    ("0.0.0.0", "unspecified"), ("0.0.0.0/8", "unspecified"), ("::/64", "unspecified"), ("224.0.0.1/24", "multicast"),
    ("239.255.255.255", "multicast"), ("ff02::1/64", "multicast"), ("255.255.255.255", "broadcast"),
    ("127.0.0.1/8", "loopback"), ("::1", "loopback"),
  ])
  func refusedForWhatItIs(_ text: String, _ word: String) throws {
    let error = #expect(throws: InterfaceAddress.Invalid.self) { try InterfaceAddress(text) }
    let description = try #require(error).description
    #expect(description.contains(text) && description.contains(word))
  }
}
