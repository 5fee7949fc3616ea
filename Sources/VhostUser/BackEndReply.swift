/// An answer of a back end.
public enum BackEndReply: Sendable, Hashable {
  /// One number: GET_FEATURES and its like, SET_LOG_BASE, and every acknowledgement, where 0 is success.
  case number(UInt64)
  /// GET_VRING_BASE.
  case vringState(ring: UInt32, number: UInt32)
  /// GET_CONFIG.
  case config(ConfigAccess)
  /// Nothing: GET_CONFIG that failed; some back ends' SET_LOG_BASE.
  case empty

  /// The whole message, header and payload, in answer to `request`.
  public func encoded(replyTo request: FrontEndRequest) -> [UInt8] {
    var writer = PayloadWriter()
    switch self {
    case .number(let value): writer.u64(value)
    case .vringState(let ring, let number): writer.state(ring, number)
    case .config(let access): access.write(to: &writer)
    case .empty: break
    }
    return MessageHeader(replyTo: request.rawValue, payloadSize: writer.bytes.count).bytes + writer.bytes
  }

  /// Reads an answer to `request`, as a front end does; total.
  ///
  /// Of a request that has no answer of its own the acknowledgement is meant.
  public static func decode(
    header: MessageHeader, payload: [UInt8], replyTo request: FrontEndRequest
  ) throws(ProtocolViolation) -> BackEndReply {
    try header.validate()
    guard header.isReply, header.request == request.rawValue else { throw .unknownRequest(header.request) }
    guard payload.count == Int(header.payloadSize) else {
      throw .payloadIncomplete(announced: Int(header.payloadSize), got: payload.count)
    }
    var reader = PayloadReader(payload)
    switch (request, payload.count) {
    case (.getConfig, 0), (.setLogBase, 0): return .empty
    case (.getConfig, _): return .config(try ConfigAccess(payload: payload, of: request))
    case (.getVringBase, 8): return .vringState(ring: reader.u32(), number: reader.u32())
    case (_, 8): return .number(reader.u64())
    default: throw .payloadSize(request, expected: 8, got: payload.count)
    }
  }
}
