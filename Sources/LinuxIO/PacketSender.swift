internal import CLinuxUAPI
internal import Glibc
public import SystemPackage

/// Sends copies of one frame to a link, many with one call (packet(7), sendmmsg(2)).
///
/// The frame goes straight to the link's driver, past its queueing discipline, with a virtio-net header of 10 bytes before
/// it, so that a frame may be one that the driver is to split (TSO). Nothing is ever received. Needs CAP_NET_RAW.
@safe public struct PacketSender: ~Copyable {
  private let socket: OwnedDescriptor
  private let part: UnsafeMutablePointer<iovec>
  private let messages: UnsafeMutablePointer<mq_mmsghdr>
  private let frame: UnsafeMutableRawPointer

  /// How many copies one call sends at most.
  public static var limit: Int { 64 }

  /// socket(2), bind(2) to a link, PACKET_VNET_HDR, PACKET_QDISC_BYPASS.
  ///
  /// - Parameter bytes: the header and the frame, at least 10 bytes.
  public init(interfaceIndex: Int, bytes: [UInt8]) throws(Errno) {
    socket = try owned(mq_packet_sender(CInt(interfaceIndex)))
    unsafe frame = .allocate(byteCount: bytes.count, alignment: 16)
    unsafe UnsafeMutableRawBufferPointer(start: frame, count: bytes.count).copyBytes(from: bytes)
    unsafe part = .allocate(capacity: 1)
    unsafe part.initialize(to: iovec(iov_base: frame, iov_len: bytes.count))
    unsafe messages = .allocate(capacity: Self.limit)
    unsafe mq_fill_messages(messages, UInt32(Self.limit), part)
  }

  /// sendmmsg(2), not blocking: how many copies were taken, 0 where the link has no room at all.
  public func send(_ count: Int) throws(Errno) -> Int {
    let sent = unsafe mq_send_copies(socket.rawValue, messages, UInt32(min(count, Self.limit)))
    if sent >= 0 { return Int(sent) }
    let error = lastError()
    if [Errno.wouldBlock, .noBufferSpace, .interrupted].contains(error) { return 0 }
    throw error
  }

  deinit {
    unsafe messages.deallocate()
    unsafe part.deallocate()
    unsafe frame.deallocate()
  }
}
