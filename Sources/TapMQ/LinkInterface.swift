/// The second seam: rtnetlink. ``LinkSession`` is the real one.
///
/// All of it happens in the network namespace that the session was opened in. Changes need CAP_NET_ADMIN over it.
public protocol LinkInterface: ~Copyable {
  /// RTM_GETLINK by name; nil if there is none.
  func link(named name: InterfaceName) throws(TapError) -> LinkInfo?

  /// RTM_GETLINK of every link, in the order of their indices.
  func links() throws(TapError) -> [LinkInfo]

  /// RTM_GETADDR: the link's addresses of global scope.
  func addresses(of link: Int) throws(TapError) -> [InterfaceAddress]

  /// RTM_GETADDR of all: the addresses of global scope of every link that has one, by its index.
  func addresses() throws(TapError) -> [Int: [InterfaceAddress]]

  /// Changes, all in one send: the kernel works through them in their order before send(2) returns, so that nothing that
  /// befalls this process comes between two of them. One that is refused does not stop those behind it.
  ///
  /// - Returns: those that were refused, in order. It throws where the answers cannot be known.
  func send(_ requests: [LinkRequest]) throws(TapError) -> [TapError]
}

extension LinkInterface where Self: ~Copyable {
  /// Changes that are to succeed together: throws the first that was refused. Those behind it were carried out.
  public func apply(_ requests: [LinkRequest]) throws(TapError) {
    if let refusal = try send(requests).first { throw refusal }
  }

  /// RTM_SETLINK: the message is applied in the kernel's own order, and may be half applied where it fails.
  public func change(_ link: Int, named name: String, _ change: LinkChange) throws(TapError) {
    try apply([LinkRequest(.change(change), of: link, named: name)])
  }

  /// RTM_DELLINK.
  public func delete(_ link: Int, named name: String) throws(TapError) {
    try apply([LinkRequest(.delete, of: link, named: name)])
  }

  /// RTM_NEWQDISC: replaces the root queueing discipline by one without parameters, such as `noqueue`.
  public func setRootQdisc(_ link: Int, named name: String, kind: String) throws(TapError) {
    try apply([LinkRequest(.setRootQdisc(kind), of: link, named: name)])
  }

  /// RTM_NEWADDR.
  public func addAddress(_ address: InterfaceAddress, to link: Int, named name: String) throws(TapError) {
    try apply([LinkRequest(.addAddress(address), of: link, named: name)])
  }
}
