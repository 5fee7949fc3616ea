internal import Synchronization

/// `struct virtq_desc` (virtio 1.2 §2.7.5).
@usableFromInline
internal struct Descriptor: BitwiseCopyable {
  @usableFromInline internal var address: UInt64
  @usableFromInline internal var length: UInt32
  @usableFromInline internal var flags: UInt16
  @usableFromInline internal var next: UInt16

  @inlinable
  internal init(address: UInt64, length: UInt32, flags: UInt16, next: UInt16) {
    self.address = address
    self.length = length
    self.flags = flags
    self.next = next
  }

  /// VIRTQ_DESC_F_NEXT: the chain goes on.
  @usableFromInline internal static var hasNext: UInt16 { @inlinable get { 1 } }
  /// VIRTQ_DESC_F_WRITE: the device writes it.
  @usableFromInline internal static var deviceWrites: UInt16 { @inlinable get { 2 } }
  /// VIRTQ_DESC_F_INDIRECT: it holds a table of descriptors.
  @usableFromInline internal static var indirect: UInt16 { @inlinable get { 4 } }
}

/// `struct virtq_used_elem` (virtio 1.2 §2.7.8).
@usableFromInline
internal struct UsedElement: BitwiseCopyable {
  @usableFromInline internal var id: UInt32
  @usableFromInline internal var length: UInt32

  @inlinable
  internal init(id: UInt32, length: UInt32) {
    self.id = id
    self.length = length
  }
}
