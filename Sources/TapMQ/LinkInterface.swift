/// The second seam: rtnetlink, one message a method. ``LinkSession`` is the real one.
///
/// All of it happens in the network namespace that the session was opened in. Changes need CAP_NET_ADMIN over it.
public protocol LinkInterface: ~Copyable {
  /// RTM_GETLINK by name; nil if there is none.
  func link(named name: InterfaceName) throws(TapError) -> LinkInfo?

  /// RTM_GETLINK of every link, in the order of their indices.
  func links() throws(TapError) -> [LinkInfo]

  /// RTM_SETLINK: the message is applied in the kernel's own order, and may be half applied where it fails.
  func change(_ link: Int, named name: String, _ change: LinkChange) throws(TapError)

  /// RTM_DELLINK.
  func delete(_ link: Int, named name: String) throws(TapError)

  /// RTM_NEWQDISC: replaces the root queueing discipline by one without parameters, such as `noqueue`.
  func setRootQdisc(_ link: Int, named name: String, kind: String) throws(TapError)

  /// RTM_GETADDR: the link's addresses of global scope.
  func addresses(of link: Int) throws(TapError) -> [InterfaceAddress]

  /// RTM_NEWADDR.
  func addAddress(_ address: InterfaceAddress, to link: Int, named name: String) throws(TapError)
}
