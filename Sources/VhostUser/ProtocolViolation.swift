/// Why a message is refused. A case says what rule was broken; ``description`` says it in one line.
///
/// Those for which ``closesConnection`` is true leave no way to go on: what follows in the stream cannot be trusted.
/// After the others the session is as it was before the message; whether the peer can be told so, or the connection
/// must end all the same, is ``Session/refusal(of:because:)``.
public enum ProtocolViolation: Error, Sendable, Hashable {
  // MARK: The frame

  /// A header of other than twelve bytes: the peer stopped in its middle.
  case headerSize(Int)
  /// A version other than 1 in flags.
  case version(UInt32)
  /// Flags beyond need_reply.
  case reservedFlags(UInt32)
  /// A payload longer than any message's.
  case payloadTooLarge(UInt32)
  /// A payload that ended before its announced length.
  case payloadIncomplete(announced: Int, got: Int)
  /// The reply bit on a request.
  case replyFlag(UInt32)
  /// A request that the specification does not have.
  case unknownRequest(UInt32)
  /// A request of the specification that this back end does not offer.
  case unsupportedRequest(FrontEndRequest)
  /// A payload of another length than the request's.
  case payloadSize(FrontEndRequest, expected: Int, got: Int)
  /// More or fewer descriptors than the request brings.
  case descriptorCount(FrontEndRequest, expected: Int, got: Int)

  // MARK: One message's contents

  /// Bits above the ring's index and the no-descriptor flag.
  case ringWordBits(FrontEndRequest, UInt64)
  /// The no-descriptor flag says one thing, the message's descriptors another.
  case descriptorFlag(FrontEndRequest, hasDescriptor: Bool, got: Int)
  /// No regions, or over eight.
  case regionCount(UInt32)
  /// Padding that is not 0.
  case padding(FrontEndRequest)
  /// A region of no bytes.
  case regionEmpty(region: Int)
  /// A number that is no multiple of a page.
  case regionUnaligned(region: Int, RegionField, UInt64)
  /// A region that ends beyond 2^64, or its file's part beyond 2^63.
  case regionWraps(region: Int, RegionField)
  /// Two regions with bytes in common.
  case regionOverlap(Int, Int, RegionField)
  /// A ring size that is no power of two from 1 to 32768.
  case ringSize(UInt32)
  /// An index into the available ring above 65535.
  case ringBase(UInt32)
  /// Neither 0 nor 1 where a ring is enabled.
  case enableValue(UInt32)
  /// Flags of SET_VRING_ADDR beyond VHOST_VRING_F_LOG.
  case addressFlags(UInt32)
  /// A ring's part that is not aligned as virtio has it.
  case addressUnaligned(RingPart, UInt64)
  /// SET_LOG_BASE in its old form, an address without memory.
  case logWithoutMemory
  /// A log of no bytes.
  case logEmpty
  /// A log whose offset cannot be mapped.
  case logUnaligned(UInt64)
  /// A log that ends beyond 2^63.
  case logWraps
  /// Configuration bytes of none, or beyond 256.
  case configRange(offset: UInt32, size: UInt32)
  /// Configuration flags that nobody has given a meaning.
  case configFlags(UInt32)
  /// No MTU that Ethernet has.
  case mtu(UInt64)
  /// A group address, or all zero, as a guest's own.
  case rarpAddress([UInt8])
  /// A device status of more than eight bits.
  case statusValue(UInt64)

  // MARK: Its place in the session

  /// Before SET_OWNER.
  case notOwned(FrontEndRequest)
  /// Protocol features before GET_FEATURES has shown bit 30.
  case protocolFeaturesUnseen(FrontEndRequest)
  /// A protocol feature that the request needs and that was not negotiated.
  case protocolFeatureMissing(FrontEndRequest, ProtocolFeatures)
  /// SET_VRING_ENABLE after features without bit 30: such rings have no switch.
  case enableNotNegotiated
  /// A device feature that the request needs and that is not offered.
  case deviceFeatureMissing(FrontEndRequest, DeviceFeatures)
  /// Feature bits that were not offered.
  case featuresNotOffered(DeviceFeatures)
  /// Protocol feature bits that were not offered.
  case protocolFeaturesNotOffered(ProtocolFeatures)
  /// Features other than LOG_ALL that change under a running ring.
  case featuresWhileRunning(ring: Int)
  /// A ring that the device does not have.
  case ringIndex(UInt32, ringCount: Int)
  /// A ring larger than offered.
  case ringTooLarge(ring: Int, size: Int, maximum: Int)
  /// What only a stopped or disabled ring takes.
  case ringRunning(FrontEndRequest, ring: Int)
  /// Addresses before the size that says how long the parts are.
  case ringSizeUnknown(ring: Int)
  /// Addresses or a region to remove while there is no memory table.
  case memoryTableMissing(FrontEndRequest)
  /// A part of a ring that is not wholly in one region.
  case addressOutside(ring: Int, RingPart, UInt64)
  /// A table without the region that a running ring is in.
  case regionInUse(ring: Int, RingPart)
  /// More regions than there are slots.
  case slotsExceeded(count: Int, maximum: Int)
  /// REM_MEM_REG of a region that is not there.
  case regionUnknown(guestAddress: UInt64)
  /// A dirty log that does not reach the end of guest memory.
  case logTooSmall(needed: UInt64, got: UInt64)
  /// A used ring whose log address lies past the log's end.
  case usedLogOutside(ring: Int, address: UInt64)
  /// A write to configuration that the driver may only read.
  case configReadOnly(offset: UInt32)
  /// An MTU above the tap's.
  case mtuTooLarge(UInt16, maximum: UInt16)

  /// Whether the stream is lost: the frame itself is broken, so that there is no telling where the next message starts
  /// or what the peer would make of an answer. The specification lets a back end close for an error, and asks that it
  /// be rare: everything else is refused by itself.
  public var closesConnection: Bool {
    switch self {
    case .headerSize, .version, .reservedFlags, .payloadTooLarge, .payloadIncomplete, .replyFlag, .unknownRequest,
      .payloadSize, .descriptorCount, .descriptorFlag:
      true
    default: false
    }
  }
}
