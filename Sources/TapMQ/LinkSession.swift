internal import CLinuxUAPI
internal import CNetlink
internal import CNetlinkRoute
internal import SystemPackage

/// rtnetlink(7) by libnl: one socket, one request at a time, each of which has the kernel's answer before it returns.
///
/// It works in the network namespace that the calling thread is in when it is made, wherever its user goes later. Asking
/// needs no privilege; changing needs CAP_NET_ADMIN over that namespace, and fails with `EPERM` without.
///
/// Errors carry the kernel's own errno, not libnl's reading of it. A session is as good after an error as before.
@safe public struct LinkSession: ~Copyable, LinkInterface {
  internal let socket: NetlinkSocket

  /// How often a dump is asked for anew because links came or went while it ran.
  private static let dumpAttempts = 32

  /// Opens a NETLINK_ROUTE socket, CLOEXEC from birth, in the calling thread's network namespace. `EMFILE` and `ENFILE`
  /// where descriptors have run out, `EPROTONOSUPPORT` or `EAFNOSUPPORT` without rtnetlink (a seccomp filter, a sandbox).
  public init() throws(TapError) {
    do throws(Errno) {
      socket = try NetlinkSocket()
    } catch {
      throw TapError("socket(NETLINK_ROUTE)", errno: error)
    }
  }

  /// RTM_GETLINK with IFLA_IFNAME: the kernel looks up that one link. Nil where it answers `ENODEV`.
  ///
  /// The kernel takes a link's alternative names too, so the answer's own name may be another: the name is taken, but not
  /// by a link of that name.
  public func link(named name: InterfaceName) throws(TapError) -> LinkInfo? {
    do throws(Errno) {
      let request = try NetlinkRequest(RTM_GETLINK, header: ifinfomsg())
      try request.put(IFLA_IFNAME, text: name.description)
      try request.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
      return unsafe try replies(to: request) { unsafe LinkInfo($0) }.first
    } catch {
      // ENODEV, by swift-system's name.
      if error == .operationNotSupportedByDevice { return nil }
      throw TapError("RTM_GETLINK", interface: name.description, errno: error)
    }
  }

  /// RTM_GETLINK with NLM_F_DUMP, without statistics, by index. A dump that links came or went in is asked for anew;
  /// `EINTR` where that never ends.
  public func links() throws(TapError) -> [LinkInfo] {
    do throws(Errno) {
      let request = try NetlinkRequest(RTM_GETLINK, flags: Self.dump, header: ifinfomsg())
      try request.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
      return unsafe try replies(to: request) { unsafe LinkInfo($0) }.sorted { $0.index < $1.index }
    } catch {
      throw TapError("RTM_GETLINK", errno: error)
    }
  }

  /// RTM_SETLINK by index. Needs CAP_NET_ADMIN.
  ///
  /// The kernel works through one message in its own order (`do_setlink`, net/core/rtnetlink.c), and what came before an
  /// error stays changed: a refused master leaves the new address, MTU, name, alias and flags. Where that matters, send
  /// the change that may fail by itself.
  ///
  /// `ENODEV`: no such link; `EEXIST`: the name is taken; `EBUSY`: before Linux 6.2, a new name for a link that is up;
  /// `EINVAL`: an MTU out of the driver's range, or a master that is not there; `EOPNOTSUPP`: a master that takes no
  /// ports; `EADDRNOTAVAIL`: a MAC address that is none; `ERANGE`: an alias of more than 255 bytes.
  public func change(_ link: Int, named name: String, _ change: LinkChange) throws(TapError) {
    do throws(Errno) {
      var header = ifinfomsg()
      header.ifi_index = try Self.index(link)
      if let isUp = change.isUp {
        header.ifi_change = UInt32(IFF_UP)
        header.ifi_flags = isUp ? UInt32(IFF_UP) : 0
      }
      let request = try NetlinkRequest(RTM_SETLINK, header: header)
      if let name = change.name { try request.put(IFLA_IFNAME, text: name.description) }
      if let mac = change.mac { try request.put(IFLA_ADDRESS, bytes: mac.bytes) }
      if let mtu = change.mtu { try request.put(IFLA_MTU, Self.unsigned(mtu)) }
      if let master = change.master { try request.put(IFLA_MASTER, Self.unsigned(master)) }
      // Without a NUL, which the kernel would count as a byte of it.
      if let alias = change.alias { try request.put(IFLA_IFALIAS, bytes: Array(alias.utf8)) }
      try acknowledge(request)
    } catch {
      throw TapError("RTM_SETLINK", interface: name, errno: error)
    }
  }

  /// RTM_DELLINK by index: a tap goes even while queues of it are open, which then answer `EBADFD`. Needs CAP_NET_ADMIN.
  /// `ENODEV`: no such link; `EOPNOTSUPP`: one that may not be deleted, such as `lo`.
  public func delete(_ link: Int, named name: String) throws(TapError) {
    do throws(Errno) {
      var header = ifinfomsg()
      header.ifi_index = try Self.index(link)
      try acknowledge(NetlinkRequest(RTM_DELLINK, header: header))
    } catch {
      throw TapError("RTM_DELLINK", interface: name, errno: error)
    }
  }

  /// RTM_NEWQDISC with NLM_F_CREATE and NLM_F_REPLACE at TC_H_ROOT. Needs CAP_NET_ADMIN. A link that is down takes it too
  /// and has it when it goes up, instead of a multi-queue link's default `mq`. `ENODEV`: no such link; `ENOENT`: the
  /// kernel knows no qdisc of that kind.
  public func setRootQdisc(_ link: Int, named name: String, kind: String) throws(TapError) {
    do throws(Errno) {
      // Not by rtnl_qdisc: in a static binary libnl-route's list of qdisc kinds is never initialised, and
      // rtnl_tc_set_kind of libnl 3.7 crashes in it.
      var header = tcmsg()
      header.tcm_ifindex = try Self.index(link)
      header.tcm_parent = .max  // TC_H_ROOT
      let request = try NetlinkRequest(RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, header: header)
      try request.put(TCA_KIND, text: kind)
      try acknowledge(request)
    } catch {
      throw TapError("RTM_NEWQDISC", interface: name, errno: error)
    }
  }

  /// RTM_GETADDR with NLM_F_DUMP, of that link: its own addresses (IFA_LOCAL) of global scope, IPv4 first. The kernel
  /// itself gives an IPv6 address its scope, so that `fe80::` ones never are among them. `ENODEV`: no such link (before
  /// Linux 4.20: no addresses); `EINTR` as in ``links()``.
  public func addresses(of link: Int) throws(TapError) -> [InterfaceAddress] {
    do throws(Errno) {
      var header = ifaddrmsg()
      header.ifa_index = try UInt32(Self.index(link))
      let request = try NetlinkRequest(RTM_GETADDR, flags: Self.dump, header: header)
      return unsafe try replies(to: request) { unsafe InterfaceAddress($0, of: link) }
    } catch {
      throw TapError("RTM_GETADDR", errno: error)
    }
  }

  /// RTM_NEWADDR with NLM_F_CREATE and NLM_F_EXCL, of global scope and without a broadcast address. Needs CAP_NET_ADMIN.
  /// `ENODEV`: no such link; `EEXIST`: the link has it; `EADDRNOTAVAIL` or `EACCES`: no such kind of address here, or
  /// IPv6 is turned off for it; `EAFNOSUPPORT` or `EOPNOTSUPP`: a kernel without IPv6.
  public func addAddress(_ address: InterfaceAddress, to link: Int, named name: String) throws(TapError) {
    do throws(Errno) {
      let index = try Self.index(link)
      guard let object = unsafe rtnl_addr_alloc() else { throw Errno.noMemory }
      defer { unsafe rtnl_addr_put(object) }
      unsafe rtnl_addr_set_ifindex(object, index)
      unsafe rtnl_addr_set_scope(object, CInt(RT_SCOPE_UNIVERSE.rawValue))
      let result = address.withParsed { parsed in unsafe rtnl_addr_set_local(object, parsed.object) }
      guard result == 0 else { throw Errno.invalidArgument }
      var message: OpaquePointer?
      guard unsafe rtnl_addr_build_add_request(object, NLM_F_CREATE | NLM_F_EXCL, &message) == 0,
        let message = unsafe message
      else { throw Errno.noMemory }
      unsafe try acknowledge(NetlinkRequest(adopting: message))
    } catch {
      throw TapError("RTM_NEWADDR", interface: name, errno: error)
    }
  }

  /// NLM_F_DUMP, a macro that does not cross.
  private static let dump = NLM_F_ROOT | NLM_F_MATCH

  /// An ifindex as messages carry it. 0 would have the kernel look for a link by other means.
  private static func index(_ link: Int) throws(Errno) -> CInt {
    guard let index = CInt(exactly: link), index > 0 else { throw .operationNotSupportedByDevice }
    return index
  }

  /// A `__u32` attribute; out of its range is what the kernel says of one out of its own.
  private static func unsigned(_ number: Int) throws(Errno) -> UInt32 {
    guard let number = UInt32(exactly: number) else { throw .invalidArgument }
    return number
  }

  /// Sends a request that has no answer but yes or no.
  private func acknowledge(_ request: consuming NetlinkRequest) throws(Errno) {
    _ = unsafe try socket.exchange(request) { _ in }
  }

  /// Sends a request, again where a dump changed under way, and reads its answer.
  private func replies<Reply>(
    to request: borrowing NetlinkRequest, _ parse: @escaping (UnsafeMutablePointer<nlmsghdr>) -> Reply?
  ) throws(Errno) -> [Reply] {
    for _ in 0..<Self.dumpAttempts {
      var replies: [Reply] = []
      let isStale = unsafe try socket.exchange(request) { message in
        if let reply = unsafe parse(message) { replies.append(reply) }
      }
      if !isStale { return replies }
    }
    throw .interrupted
  }
}
