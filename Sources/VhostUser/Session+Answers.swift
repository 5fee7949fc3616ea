extension Session {
  /// The answer to GET_VRING_BASE: where the ring stopped.
  public func replyBase(ring: Int, base: UInt16) -> [UInt8] {
    BackEndReply.vringState(ring: UInt32(clamping: ring), number: UInt32(base)).encoded(replyTo: .getVringBase)
  }

  /// What to send when an action has been carried out, or has failed; nil for nothing. After ``receive(_:)``, for
  /// SET_PROTOCOL_FEATURES may have turned REPLY_ACK on.
  ///
  /// A number, 0 for success: where REPLY_ACK was negotiated and the message has need_reply set, and to every
  /// SET_LOG_BASE that was carried out, which the specification answers in any case. Never to a request that has an
  /// answer of its own.
  ///
  /// A SET_LOG_BASE without need_reply that failed has none: QEMU waits for the answer and does not look into it, and
  /// would migrate a guest of which it does not hear what was written.
  public func acknowledgement(of header: MessageHeader, failed: Bool) -> [UInt8]? {
    guard let request = FrontEndRequest(rawValue: header.request), !request.hasReplyOfItsOwn else { return nil }
    guard (request == .setLogBase && !failed) || (header.needsReply && protocolFeatures.contains(.replyAck)) else {
      return nil
    }
    return BackEndReply.number(failed ? 1 : 0).encoded(replyTo: request)
  }

  /// What to do about a message that was refused, by ``FrontEndMessage`` or by ``receive(_:)``.
  public func refusal(of header: MessageHeader, because violation: ProtocolViolation) -> Refusal {
    guard !violation.closesConnection, let request = FrontEndRequest(rawValue: header.request) else { return .close }
    if request == .getConfig, protocolFeatures.contains(.config) {
      return .reply(BackEndReply.empty.encoded(replyTo: request))
    }
    return acknowledgement(of: header, failed: true).map(Refusal.reply) ?? .close
  }
}

/// How a refused message ends.
public enum Refusal: Sendable, Hashable {
  /// Send this; the connection goes on.
  case reply([UInt8])
  /// Close the connection.
  case close
}
