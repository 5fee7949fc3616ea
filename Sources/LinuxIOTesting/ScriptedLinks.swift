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

  /// RTM_GETADDR.
  public func addresses(of link: Int) throws(TapError) -> [InterfaceAddress] {
    try enter("RTM_GETADDR", nil)
    return try base.addresses(of: link)
  }

  /// RTM_GETADDR of all.
  public func addresses() throws(TapError) -> [Int: [InterfaceAddress]] {
    try enter("RTM_GETADDR", nil)
    return try base.addresses()
  }

  /// Each message is a call; those behind one that fails are sent all the same, as the kernel would work through them.
  public func send(_ requests: [LinkRequest]) throws(TapError) -> [TapError] {
    var refusals: [TapError] = []
    var passed: [LinkRequest] = []
    for request in requests {
      do throws(TapError) {
        try enter(request.messageName, request.name)
        passed.append(request)
      } catch {
        refusals.append(error)
      }
    }
    return try refusals + base.send(passed)
  }

  private func enter(_ name: String, _ interface: String?) throws(TapError) {
    do {
      try script.enter(name)
    } catch {
      throw TapError(name, interface: interface, errno: error)
    }
  }
}
