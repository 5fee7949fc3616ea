/// One rtnetlink message that changes a link.
public struct LinkRequest: Sendable, Equatable {
  /// What it asks for. Each needs CAP_NET_ADMIN, and each answers `ENODEV` where there is no such link.
  public enum Operation: Sendable, Equatable {
    /// RTM_SETLINK by index.
    ///
    /// The kernel works through one message in its own order (`do_setlink`, net/core/rtnetlink.c), and what came before an
    /// error stays changed: a refused master leaves the new address, MTU, name, alias and flags. Where that matters, send
    /// the change that may fail by itself.
    ///
    /// `EEXIST`: the name is taken; `EBUSY`: before Linux 6.2, a new name for a link that is up; `EINVAL`: an MTU out of
    /// the driver's range, or a master that is not there; `EOPNOTSUPP`: a master that takes no ports; `EADDRNOTAVAIL`: a
    /// MAC address that is none; `ERANGE`: an alias of more than 255 bytes.
    case change(LinkChange)

    /// RTM_DELLINK by index: a tap goes even while queues of it are open, which then answer `EBADFD`. `EOPNOTSUPP`: one
    /// that may not be deleted, such as `lo`.
    case delete

    /// RTM_DELLINK with IFLA_GROUP alone: every link of that group, in one go of the kernel's, which waits for its RCU
    /// grace periods once for all of them (`rtnl_group_dellink`). The request's own link is not looked at. `ENODEV`: the
    /// group has none; `EOPNOTSUPP`: one of them may not be deleted, and none was.
    case deleteGroup(Int)

    /// RTM_NEWQDISC with NLM_F_CREATE and NLM_F_REPLACE at TC_H_ROOT. A link that is down takes it too and has it when it
    /// goes up, instead of a multi-queue link's default `mq`. `ENOENT`: the kernel knows no qdisc of that kind.
    case setRootQdisc(String)

    /// RTM_NEWADDR with NLM_F_CREATE and NLM_F_EXCL, of global scope and without a broadcast address. `EEXIST`: the link
    /// has it; `EADDRNOTAVAIL` or `EACCES`: no such kind of address here, or IPv6 is turned off for it; `EAFNOSUPPORT` or
    /// `EOPNOTSUPP`: a kernel without IPv6.
    case addAddress(InterfaceAddress)

    /// RTM_DELADDR. `EADDRNOTAVAIL`: the link has none such.
    case removeAddress(InterfaceAddress)
  }

  /// What it asks for.
  public let operation: Operation
  /// The link's index.
  public let link: Int
  /// The link's name, for errors.
  public let name: String

  /// A request about that link.
  public init(_ operation: Operation, of link: Int, named name: String) {
    self.operation = operation
    self.link = link
    self.name = name
  }

  /// The message's name, such as `RTM_SETLINK`.
  public var messageName: String {
    switch operation {
    case .change: "RTM_SETLINK"
    case .delete, .deleteGroup: "RTM_DELLINK"
    case .setRootQdisc: "RTM_NEWQDISC"
    case .addAddress: "RTM_NEWADDR"
    case .removeAddress: "RTM_DELADDR"
    }
  }
}
