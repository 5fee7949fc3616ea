internal import SystemPackage
public import TapMQ

/// rtnetlink whose messages fail as a ``FaultScript`` says; what it lets pass goes to a real session. A message that
/// fails is not sent. A call's name is the message's, such as `RTM_NEWQDISC`.
public struct ScriptedLinks<Base: LinkInterface & ~Copyable>: ~Copyable, LinkInterface {
  private let base: Base
  private let script: FaultScript

  /// A session in front of `base`.
  public init(_ base: consuming Base, script: FaultScript) {
    self.base = base
    self.script = script
  }

  /// RTM_GETLINK.
  public func link(named name: InterfaceName) throws(TapError) -> LinkInfo? {
    try enter("RTM_GETLINK", name.description)
    return try base.link(named: name)
  }

  /// RTM_GETLINK of all.
  public func links() throws(TapError) -> [LinkInfo] {
    try enter("RTM_GETLINK", nil)
    return try base.links()
  }

  /// RTM_SETLINK.
  public func change(_ link: Int, named name: String, _ change: LinkChange) throws(TapError) {
    try enter("RTM_SETLINK", name)
    try base.change(link, named: name, change)
  }

  /// RTM_DELLINK.
  public func delete(_ link: Int, named name: String) throws(TapError) {
    try enter("RTM_DELLINK", name)
    try base.delete(link, named: name)
  }

  /// RTM_NEWQDISC.
  public func setRootQdisc(_ link: Int, named name: String, kind: String) throws(TapError) {
    try enter("RTM_NEWQDISC", name)
    try base.setRootQdisc(link, named: name, kind: kind)
  }

  /// RTM_GETADDR.
  public func addresses(of link: Int) throws(TapError) -> [InterfaceAddress] {
    try enter("RTM_GETADDR", nil)
    return try base.addresses(of: link)
  }

  /// RTM_NEWADDR.
  public func addAddress(_ address: InterfaceAddress, to link: Int, named name: String) throws(TapError) {
    try enter("RTM_NEWADDR", name)
    try base.addAddress(address, to: link, named: name)
  }

  private func enter(_ name: String, _ interface: String?) throws(TapError) {
    do {
      try script.enter(name)
    } catch {
      throw TapError(name, interface: interface, errno: error)
    }
  }
}
