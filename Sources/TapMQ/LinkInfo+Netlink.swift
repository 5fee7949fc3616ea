internal import CLinuxUAPI
internal import CNetlink
internal import CNetlinkRoute

extension LinkInfo {
  /// Reads an RTM_NEWLINK; nil where it is none. By hand, as libnl knows no links of kind `tun`.
  internal init?(_ message: UnsafeMutablePointer<nlmsghdr>) {
    guard unsafe Int(message.pointee.nlmsg_type) == RTM_NEWLINK,
      let (header, attributes) = unsafe NetlinkAttributes.split(message, after: ifinfomsg.self)
    else { return nil }
    let details = unsafe attributes.nest(IFLA_LINKINFO)
    let kind = unsafe details?.text(IFLA_INFO_KIND)
    self.init(
      index: Int(header.ifi_index),
      name: unsafe attributes.text(IFLA_IFNAME) ?? "",
      kind: kind,
      mac: unsafe attributes.bytes(IFLA_ADDRESS).flatMap { unsafe MACAddress(bytes: Array($0)) },
      mtu: unsafe Int(attributes.number(IFLA_MTU, as: UInt32.self) ?? 0),
      master: unsafe attributes.number(IFLA_MASTER, as: UInt32.self).map(Int.init),
      group: unsafe Int(attributes.number(IFLA_GROUP, as: UInt32.self) ?? 0),
      alias: unsafe attributes.text(IFLA_IFALIAS),
      qdisc: unsafe attributes.text(IFLA_QDISC),
      isUp: header.ifi_flags & UInt32(IFF_UP) != 0,
      hasCarrier: unsafe attributes.number(IFLA_CARRIER, as: UInt8.self) == 1,
      isOperational: [0, UInt8(MQ_IF_OPER_UP)].contains(unsafe attributes.number(IFLA_OPERSTATE, as: UInt8.self) ?? 0),
      transmitQueues: unsafe Int(attributes.number(IFLA_NUM_TX_QUEUES, as: UInt32.self) ?? 1),
      tun: kind == "tun" ? unsafe details?.nest(IFLA_INFO_DATA).map { unsafe TunInfo($0) } : nil)
  }
}

extension TunInfo {
  /// Reads IFLA_INFO_DATA as `tun_fill_info` writes it (drivers/net/tun.c).
  internal init(_ attributes: NetlinkAttributes) {
    self.init(
      isTap: unsafe attributes.number(IFLA_TUN_TYPE, as: UInt8.self) == UInt8(IFF_TAP),
      packetInformation: unsafe attributes.number(IFLA_TUN_PI, as: UInt8.self) == 1,
      vnetHeader: unsafe attributes.number(IFLA_TUN_VNET_HDR, as: UInt8.self) == 1,
      persistent: unsafe attributes.number(IFLA_TUN_PERSIST, as: UInt8.self) == 1,
      multiQueue: unsafe attributes.number(IFLA_TUN_MULTI_QUEUE, as: UInt8.self) == 1,
      owner: unsafe attributes.number(IFLA_TUN_OWNER, as: UInt32.self),
      group: unsafe attributes.number(IFLA_TUN_GROUP, as: UInt32.self),
      attachedQueues: unsafe attributes.number(IFLA_TUN_NUM_QUEUES, as: UInt32.self).map(Int.init),
      detachedQueues: unsafe attributes.number(IFLA_TUN_NUM_DISABLED_QUEUES, as: UInt32.self).map(Int.init))
  }
}

extension InterfaceAddress {
  /// Reads an RTM_NEWADDR; nil where it is none, or not of that link, or not of global scope.
  internal init?(_ message: UnsafeMutablePointer<nlmsghdr>, of link: Int) {
    guard let found = unsafe Self.withLink(message), found.link == link else { return nil }
    self = found.address
  }

  /// Reads an RTM_NEWADDR and the index of its link; nil where it is none, or not of global scope.
  internal static func withLink(
    _ message: UnsafeMutablePointer<nlmsghdr>
  ) -> (link: Int, address: InterfaceAddress)? {
    guard unsafe Int(message.pointee.nlmsg_type) == RTM_NEWADDR,
      let (header, attributes) = unsafe NetlinkAttributes.split(message, after: ifaddrmsg.self),
      Int(header.ifa_scope) == Int(RT_SCOPE_UNIVERSE.rawValue),
      // IFA_ADDRESS is the other end's where there is one, and IFA_LOCAL is missing on IPv6 where there is none.
      let bytes = unsafe attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS),
      let address = unsafe InterfaceAddress(
        bytes: Array(bytes), family: CInt(header.ifa_family), prefixLength: Int(header.ifa_prefixlen))
    else { return nil }
    return (Int(header.ifa_index), address)
  }
}
