internal import CLinuxUAPI
internal import CNetlink
internal import CNetlinkRoute
internal import SystemPackage

extension LinkRequest {
  /// The message.
  internal func message() throws(Errno) -> NetlinkRequest {
    switch operation {
    case .change(let change): return try Self.setLink(link, change)
    case .delete:
      var header = ifinfomsg()
      header.ifi_index = try Self.index(link)
      return try NetlinkRequest(RTM_DELLINK, header: header)
    case .deleteGroup(let group):
      let request = try NetlinkRequest(RTM_DELLINK, header: ifinfomsg())
      try request.put(IFLA_GROUP, Self.unsigned(group))
      return request
    case .setRootQdisc(let kind):
      // Not by rtnl_qdisc: in a static binary libnl-route's list of qdisc kinds is never initialised, and
      // rtnl_tc_set_kind of libnl 3.7 crashes in it.
      var header = tcmsg()
      header.tcm_ifindex = try Self.index(link)
      header.tcm_parent = .max  // TC_H_ROOT
      let request = try NetlinkRequest(RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, header: header)
      try request.put(TCA_KIND, text: kind)
      return request
    case .addAddress(let address):
      return unsafe try Self.address(address, of: link) { object, message in
        unsafe rtnl_addr_build_add_request(object, NLM_F_CREATE | NLM_F_EXCL, message)
      }
    case .removeAddress(let address):
      return unsafe try Self.address(address, of: link) { object, message in
        unsafe rtnl_addr_build_delete_request(object, 0, message)
      }
    }
  }

  private static func setLink(_ link: Int, _ change: LinkChange) throws(Errno) -> NetlinkRequest {
    var header = ifinfomsg()
    header.ifi_index = try index(link)
    if let isUp = change.isUp {
      header.ifi_change = UInt32(IFF_UP)
      header.ifi_flags = isUp ? UInt32(IFF_UP) : 0
    }
    let request = try NetlinkRequest(RTM_SETLINK, header: header)
    if let name = change.name { try request.put(IFLA_IFNAME, text: name.description) }
    if let mac = change.mac { try request.put(IFLA_ADDRESS, bytes: mac.bytes) }
    if let mtu = change.mtu { try request.put(IFLA_MTU, unsigned(mtu)) }
    if let master = change.master { try request.put(IFLA_MASTER, unsigned(master)) }
    if let group = change.group { try request.put(IFLA_GROUP, unsigned(group)) }
    // Without a NUL, which the kernel would count as a byte of it.
    if let alias = change.alias { try request.put(IFLA_IFALIAS, bytes: Array(alias.utf8)) }
    return request
  }

  private static func address(
    _ address: InterfaceAddress, of link: Int,
    _ build: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> CInt
  ) throws(Errno) -> NetlinkRequest {
    let index = try index(link)
    guard let object = unsafe rtnl_addr_alloc() else { throw Errno.noMemory }
    defer { unsafe rtnl_addr_put(object) }
    unsafe rtnl_addr_set_ifindex(object, index)
    unsafe rtnl_addr_set_scope(object, CInt(RT_SCOPE_UNIVERSE.rawValue))
    let result = address.withParsed { parsed in unsafe rtnl_addr_set_local(object, parsed.object) }
    guard result == 0 else { throw Errno.invalidArgument }
    var message: OpaquePointer?
    guard unsafe build(object, &message) == 0, let message = unsafe message else { throw Errno.noMemory }
    return unsafe NetlinkRequest(adopting: message)
  }

  /// An ifindex as messages carry it. 0 would have the kernel look for a link by other means.
  internal static func index(_ link: Int) throws(Errno) -> CInt {
    guard let index = CInt(exactly: link), index > 0 else { throw .operationNotSupportedByDevice }
    return index
  }

  /// A `__u32` attribute; out of its range is what the kernel says of one out of its own.
  private static func unsigned(_ number: Int) throws(Errno) -> UInt32 {
    guard let number = UInt32(exactly: number) else { throw .invalidArgument }
    return number
  }
}
