internal import CLinuxUAPI
public import SystemPackage

/// Which link address an IPv4 neighbour has (arp(7)).
public enum NeighbourTable {
  /// SIOCSARP: a permanent entry, so that nobody is asked by ARP. Needs CAP_NET_ADMIN over the network namespace. `ENETDOWN`
  /// or `ENETUNREACH` where the link is down or has no route to the address.
  public static func set(_ address: [UInt8], to mac: [UInt8], on link: String) throws(Errno) {
    guard address.count == 4, mac.count == 6 else { throw .invalidArgument }
    try check(unsafe mq_set_neighbour(link, address, mac))
  }
}
