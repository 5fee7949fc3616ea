/// The frames of one queue pair's flow, between its guest and whoever is behind the device.
///
/// IP addresses are of the range for benchmarks (RFC 2544). Both directions of a flow have the same addresses and ports,
/// turned round, so that tun's hash, by which it steers, is the same.
///
/// A frame that is longer than ``plainLimit`` is one that the receiver may split: TCP over IPv4, with a virtio-net header
/// that asks for segmentation (virtio 1.2 §5.1.6.2); shorter ones are UDP.
public struct LoadFrame: Sendable {
  /// Bytes of an Ethernet frame, without its checksum, as a ring carries it: from Ethernet's least to the most that Linux
  /// passes on as one, which is less than a device's gso_max_size of 64 KiB (gso_features_check, net/core/dev.c).
  public static let sizeRange = 60...65535
  /// The longest frame that is sent as it is: an MTU of 1500.
  public static let plainLimit = 1514
  /// The virtio-net header of VERSION_1.
  internal static let headerByteCount = 12
  /// Where the tap has its address; every guest is in the same /15.
  internal static let hostAddress: [UInt8] = [198, 18, 0, 1]

  private static let etherType: [UInt8] = [0x08, 0x00]
  /// The part of an answered frame before its sequence number: Ethernet, IPv4, ICMP's type, code, checksum and id.
  internal static let echoSequenceOffset = 14 + 20 + 6
  internal static let echoChecksumOffset = 14 + 20 + 2
  internal static let echoIdentifierOffset = 14 + 20 + 4

  /// The pair whose flow it is.
  internal let pair: Int
  /// What tells this run's frames from others.
  internal let run: UInt32

  internal init(pair: Int, run: UInt32) {
    self.pair = pair
    self.run = run
  }

  /// Whether a frame of that size asks for segmentation.
  public static func isSegmented(_ size: Int) -> Bool { size > plainLimit }

  /// The guest's addresses.
  internal var guestMAC: [UInt8] { [0x02, 0, 0, 0x10, UInt8(pair >> 8 & 0xFF), UInt8(pair & 0xFF)] }
  internal var guestAddress: [UInt8] { [198, 18, UInt8(16 + pair >> 8 & 0xFF), UInt8(pair & 0xFF)] }

  /// What a frame carries behind its headers, and where.
  internal var mark: UInt64 { UInt64(run) << 32 | UInt64(pair) << 8 | 0x4D }
  internal static func markOffset(_ size: Int) -> Int { isSegmented(size) ? 14 + 20 + 20 : 14 + 20 + 8 }

  /// A frame of the flow.
  ///
  /// - Parameters:
  ///   - size: within ``sizeRange``.
  ///   - toGuest: or from it.
  ///   - destination: the address of a frame from the guest; nobody has it, so that the network behind a tap drops the frame
  ///     at once.
  internal func bytes(size: Int, toGuest: Bool, destination: [UInt8]) -> [UInt8] {
    let isSegmented = Self.isSegmented(size)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    bytes += toGuest ? guestMAC : destination
    bytes += toGuest ? [0x02, 0, 0, 0x20, 0, 1] : guestMAC
    bytes += Self.etherType
    let host: [UInt8] = [198, 18, 0, 2]
    let (source, target) = toGuest ? (host, guestAddress) : (guestAddress, host)
    bytes += Self.ipv4(source, target, protocol: isSegmented ? 6 : 17, byteCount: size - 14)
    bytes += Self.bigEndian(toGuest ? 9 : 4096) + Self.bigEndian(toGuest ? 4096 : 9)
    if isSegmented {
      // Sequence 1, nothing acknowledged, 5 words of header, ACK, a full window; of the checksum the pseudo-header's part.
      let length = size - 34
      bytes += [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0xFF, 0xFF]
      bytes += Self.bigEndian(Self.sum(source + target + [0, 6] + Self.bigEndian(length))) + [0, 0]
    } else {
      bytes += Self.bigEndian(size - 34) + [0, 0]
    }
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: mark >> UInt64(shift))) }
    bytes += [UInt8](repeating: 0, count: size - bytes.count)
    return bytes
  }

  /// The virtio-net header of a frame of that size: 12 bytes, of which a packet socket takes the first 10.
  internal static func header(size: Int) -> [UInt8] {
    guard isSegmented(size) else { return [UInt8](repeating: 0, count: headerByteCount) }
    // NEEDS_CSUM, TCPV4, hdr_len 54, gso_size 1460, csum_start 34, csum_offset 16, little-endian.
    return [1, 1, 54, 0, 0xB4, 0x05, 34, 0, 16, 0, 0, 0]
  }

  /// An ICMP echo request (RFC 792) from the guest, sequence number 0.
  internal func echo(size: Int, destination: [UInt8]) -> [UInt8] {
    var message: [UInt8] = [8, 0, 0, 0] + Self.bigEndian(pair) + [0, 0]
    message += [UInt8](repeating: 0x5A, count: size - 34 - message.count)
    let check = ~UInt16(Self.sum(message))
    message[2] = UInt8(check >> 8)
    message[3] = UInt8(check & 0xFF)
    return destination + guestMAC + Self.etherType
      + Self.ipv4(guestAddress, Self.hostAddress, protocol: 1, byteCount: size - 14) + message
  }

  /// The checksum of an echo whose sequence number is another than 0 (RFC 1624).
  internal static func echoChecksum(_ base: UInt16, sequence: UInt16) -> UInt16 {
    var sum = UInt32(~base) &+ UInt32(sequence)
    sum = sum >> 16 &+ sum & 0xFFFF
    return ~UInt16(truncatingIfNeeded: sum)
  }

  private static func ipv4(_ source: [UInt8], _ target: [UInt8], protocol number: UInt8, byteCount: Int) -> [UInt8] {
    // Version and length, TOS, total length, id, do not fragment, time to live, protocol, checksum.
    var header: [UInt8] = [0x45, 0] + bigEndian(byteCount) + [0, 0, 0x40, 0, 8, number, 0, 0] + source + target
    let check = ~UInt16(sum(header))
    header[10] = UInt8(check >> 8)
    header[11] = UInt8(check & 0xFF)
    return header
  }

  /// The ones' complement sum of 16-bit words (RFC 1071), not complemented.
  private static func sum(_ bytes: [UInt8]) -> Int {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 + (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    return sum
  }

  private static func bigEndian(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)] }
}
