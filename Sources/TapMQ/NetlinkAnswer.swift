internal import CNetlink
internal import SystemPackage

/// What the kernel says to one request, or to several that were sent in one go, gathered by libnl's callbacks.
///
/// libnl's own verdict is not used: it folds the kernel's errno into fewer codes (its NLE_*).
@safe internal final class NetlinkAnswer {
  private let last: UInt32
  private let count: UInt32
  private let receive: (UnsafeMutablePointer<nlmsghdr>) -> Void

  /// The last request's acknowledgement, its error or the end of its dump is here: nothing more comes.
  internal private(set) var isComplete = false
  /// NLM_F_DUMP_INTR: what was dumped changed in between.
  internal private(set) var wasInterrupted = false
  /// What the kernel refused with, by the request's number.
  internal private(set) var failures: [UInt32: Errno] = [:]

  /// The answer to the request of that number and to those with the numbers before it, `count` in all; `receive` gets each
  /// message of it that carries something, valid during that call alone.
  internal init(
    to last: UInt32, of count: Int = 1, receive: @escaping (UnsafeMutablePointer<nlmsghdr>) -> Void
  ) {
    self.last = last
    self.count = UInt32(count)
    unsafe self.receive = receive
  }

  /// Points libnl's callbacks here. They must be gone before this object is.
  internal func install(in callbacks: OpaquePointer) {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    // In place of libnl's own check, which would fail for what an earlier request left behind: that is passed over.
    unsafe nl_cb_set(
      callbacks, NL_CB_SEQ_CHECK, NL_CB_CUSTOM,
      { message, context in
        let answer = unsafe NetlinkAnswer.at(context)
        let isOurs = unsafe answer.isOurs(nlmsg_hdr(message).pointee.nlmsg_seq)
        return CInt((isOurs ? NL_OK : NL_SKIP).rawValue)
      }, context)
    unsafe nl_cb_set(
      callbacks, NL_CB_VALID, NL_CB_CUSTOM,
      { message, context in
        unsafe NetlinkAnswer.at(context).receive(nlmsg_hdr(message))
        return CInt(NL_OK.rawValue)
      }, context)
    unsafe nl_cb_set(
      callbacks, NL_CB_ACK, NL_CB_CUSTOM,
      { _, context in
        unsafe NetlinkAnswer.at(context).isComplete = true
        return CInt(NL_STOP.rawValue)
      }, context)
    unsafe nl_cb_set(
      callbacks, NL_CB_FINISH, NL_CB_CUSTOM,
      { message, context in
        unsafe NetlinkAnswer.at(context).finish(nlmsg_hdr(message))
        return CInt(NL_STOP.rawValue)
      }, context)
    unsafe nl_cb_set(
      callbacks, NL_CB_DUMP_INTR, NL_CB_CUSTOM,
      { _, context in
        unsafe NetlinkAnswer.at(context).wasInterrupted = true
        return CInt(NL_OK.rawValue)
      }, context)
    unsafe nl_cb_err(
      callbacks, NL_CB_CUSTOM,
      { _, error, context in
        let answer = unsafe NetlinkAnswer.at(context)
        guard let error = unsafe error else { return CInt(NL_SKIP.rawValue) }
        let sequence = unsafe error.pointee.msg.nlmsg_seq
        answer.failures[sequence] = unsafe Errno(rawValue: -error.pointee.error)
        guard sequence == answer.last else { return CInt(NL_SKIP.rawValue) }
        answer.isComplete = true
        return CInt(NL_STOP.rawValue)
      }, context)
  }

  /// Numbers start anew after the largest.
  private func isOurs(_ sequence: UInt32) -> Bool { last &- sequence < count }

  /// NLMSG_DONE, which carries an errno where a dump broke off.
  private func finish(_ header: UnsafeMutablePointer<nlmsghdr>) {
    isComplete = true
    guard unsafe Int(nlmsg_datalen(header)) >= MemoryLayout<CInt>.size else { return }
    let status = unsafe nlmsg_data(header).loadUnaligned(as: CInt.self)
    if status < 0 { failures[last] = Errno(rawValue: -status) }
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> NetlinkAnswer {
    guard let context = unsafe context else { preconditionFailure("a netlink callback without its context") }
    return unsafe Unmanaged<NetlinkAnswer>.fromOpaque(context).takeUnretainedValue()
  }
}
