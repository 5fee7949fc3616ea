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

  /// RTM_GETADDR with NLM_F_DUMP, of that link: its own addresses (IFA_LOCAL) of global scope, IPv4 first. The kernel
  /// itself gives an IPv6 address its scope, so that `fe80::` ones never are among them. `ENODEV`: no such link (before
  /// Linux 4.20: no addresses); `EINTR` as in ``links()``.
  public func addresses(of link: Int) throws(TapError) -> [InterfaceAddress] {
    do throws(Errno) {
      var header = ifaddrmsg()
      header.ifa_index = try UInt32(LinkRequest.index(link))
      let request = try NetlinkRequest(RTM_GETADDR, flags: Self.dump, header: header)
      return unsafe try replies(to: request) { unsafe InterfaceAddress($0, of: link) }
    } catch {
      throw TapError("RTM_GETADDR", errno: error)
    }
  }

  /// RTM_GETADDR with NLM_F_DUMP, of all links.
  public func addresses() throws(TapError) -> [Int: [InterfaceAddress]] {
    do throws(Errno) {
      let request = try NetlinkRequest(RTM_GETADDR, flags: Self.dump, header: ifaddrmsg())
      let all = unsafe try replies(to: request) { unsafe InterfaceAddress.withLink($0) }
      return Dictionary(grouping: all, by: \.link).mapValues { $0.map(\.address) }
    } catch {
      throw TapError("RTM_GETADDR", errno: error)
    }
  }

  /// One sendmsg(2) of all messages (nl_sendto), of which only the last is to be acknowledged: the kernel tells of an error
  /// unasked.
  public func send(_ requests: [LinkRequest]) throws(TapError) -> [TapError] {
    var refusals: [Int: Errno] = [:]
    do throws(Errno) {
      let batch = NetlinkBatch()
      for (number, request) in requests.enumerated() {
        do throws(Errno) {
          batch.append(try request.message(), number)
        } catch {
          // One that cannot be said, such as an MTU of -1, is one that the kernel would refuse.
          refusals[number] = error
        }
      }
      for (number, errno) in try socket.exchange(batch) { refusals[number] = errno }
    } catch {
      throw TapError(requests.first?.messageName ?? "send", interface: requests.first?.name, errno: error)
    }
    return refusals.sorted { $0.key < $1.key }.map { number, errno in
      TapError(requests[number].messageName, interface: requests[number].name, errno: errno)
    }
  }

  /// NLM_F_DUMP, a macro that does not cross.
  private static let dump = NLM_F_ROOT | NLM_F_MATCH

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
