/// What a driver did to its ring that no driver may do. The ring is broken from then on.
public enum RingViolation: UInt8, Error, CaseIterable, CustomStringConvertible {
  /// More is available than the ring has entries.
  case availableIndex
  /// An entry of the available ring is no descriptor.
  case head
  /// A descriptor's `next` is no descriptor.
  case next
  /// More descriptors than the table has: one of them comes twice.
  case chainTooLong
  /// A descriptor of no bytes.
  case emptyDescriptor
  /// A descriptor that ends behind the last address there is.
  case addressWraps
  /// Bytes that are in no region of the guest's memory.
  case outsideMemory
  /// A descriptor for the device to write, in a ring whose buffers it reads.
  case writableInTransmit
  /// A descriptor for the device to read, in a ring whose buffers it writes.
  case readableInReceive
  /// A descriptor for the device to read behind one for it to write (virtio 1.2 §2.7.4.2).
  case readableAfterWritable
  /// VIRTQ_DESC_F_INDIRECT without VIRTIO_F_INDIRECT_DESC.
  case indirectNotNegotiated
  /// A table of descriptors within another (§2.7.5.3.1).
  case indirectNested
  /// VIRTQ_DESC_F_INDIRECT with VIRTQ_DESC_F_NEXT (§2.7.5.3.1).
  case indirectChained
  /// A table that is no number of whole descriptors, or of more than 32768.
  case indirectLength
  /// A frame to send of more than ``DeviceRing/maximumFrame`` bytes.
  case frameTooLong
  /// A chain in more pieces than readv(2) takes.
  case tooManySegments
  /// Mergeable buffers so small that a frame needs more of them than readv(2) takes.
  case buffersTooSmall
  /// The ring was broken before.
  case broken

  /// In words, as the end of a sentence about the ring.
  public var description: String {
    switch self {
    case .availableIndex: "the available index is further ahead than the ring is long"
    case .head: "an available entry names a descriptor that the ring does not have"
    case .next: "a descriptor goes on with one that its table does not have"
    case .chainTooLong: "a chain is longer than its table: it goes in circles"
    case .emptyDescriptor: "a descriptor has no bytes"
    case .addressWraps: "a descriptor ends behind the last address"
    case .outsideMemory: "a descriptor is not in the guest's memory"
    case .writableInTransmit: "a frame to send has a descriptor to be written"
    case .readableInReceive: "a receive buffer has a descriptor to be read"
    case .readableAfterWritable: "a descriptor to be read comes behind one to be written"
    case .indirectNotNegotiated: "a table of indirect descriptors, which were not negotiated"
    case .indirectNested: "a table of indirect descriptors is within another"
    case .indirectChained: "a descriptor has both INDIRECT and NEXT"
    case .indirectLength: "a table of indirect descriptors has a length that none can have"
    case .frameTooLong: "a frame to send is longer than \(DeviceRing.maximumFrame) bytes"
    case .tooManySegments: "a chain is in more than 1024 pieces"
    case .buffersTooSmall: "a frame would need more than 1024 receive buffers"
    case .broken: "the ring is broken"
    }
  }
}
