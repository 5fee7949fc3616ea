public import LinuxIO

/// A buffer of the guest's: a chain of descriptors, read and checked.
public struct Chain: BitwiseCopyable, Sendable {
  /// The descriptor it begins with, which is its name in the used ring.
  public let head: UInt16
  /// In how many pieces it is here.
  public let segmentCount: UInt16
  /// How many bytes they have.
  public let byteCount: Int

  @inlinable
  internal init(head: UInt16, segmentCount: UInt16, byteCount: Int) {
    self.head = head
    self.segmentCount = segmentCount
    self.byteCount = byteCount
  }
}

/// Chains that were taken from a ring and not used yet, the oldest first, and where their bytes are: scratch memory, allocated
/// once.
@safe public struct ChainQueue: ~Copyable {
  @unsafe @usableFromInline internal let chains: UnsafeMutablePointer<Chain>
  @unsafe @usableFromInline internal let vectors: UnsafeMutablePointer<IOVector>
  @usableFromInline internal let capacity: Int
  // Both lists begin somewhere behind the start of their memory and are moved there when it runs out.
  @usableFromInline internal var firstChain = 0
  @usableFromInline internal var endChain = 0
  @usableFromInline internal var firstVector = 0
  @usableFromInline internal var endVector = 0
  @usableFromInline internal var bytes = 0

  /// Twice what one chain may have, so that there is room for any chain as long as the others have not more than that.
  @inlinable
  internal static var vectorCapacity: Int { 2 * IOVector.maximumCount }

  /// An empty queue for so many chains.
  public init(capacity: Int = IOVector.maximumCount) {
    self.capacity = max(1, capacity)
    unsafe chains = .allocate(capacity: self.capacity)
    unsafe vectors = .allocate(capacity: Self.vectorCapacity)
  }

  deinit {
    unsafe chains.deallocate()
    unsafe vectors.deallocate()
  }

  /// How many chains are in it.
  @inlinable
  public var count: Int { endChain &- firstChain }

  /// Whether there is none.
  @inlinable
  public var isEmpty: Bool { endChain == firstChain }

  /// How many bytes all of them have.
  @inlinable
  public var byteCount: Int { bytes }

  /// The oldest. There must be one.
  @inlinable
  public var first: Chain {
    precondition(!isEmpty, "no chain")
    return unsafe chains[firstChain]
  }

  /// Where the oldest one's bytes are; neighbours in memory are one segment. There must be one.
  ///
  /// - Safety: until the next change of the queue, and while the guest's memory stays mapped.
  @unsafe @inlinable
  public var firstSegments: UnsafeBufferPointer<IOVector> {
    unsafe UnsafeBufferPointer(start: vectors + firstVector, count: Int(first.segmentCount))
  }

  /// Where the bytes of all are, in order. ``IOVector/maximumCount`` of them may go into one call.
  ///
  /// - Safety: until the next change of the queue, and while the guest's memory stays mapped.
  @unsafe @inlinable
  public var segments: UnsafeBufferPointer<IOVector> {
    unsafe UnsafeBufferPointer(start: vectors + firstVector, count: endVector &- firstVector)
  }

  /// Whether one more chain of any length fits behind the others where they are.
  @inlinable @inline(__always)
  internal var hasRoom: Bool {
    endChain < capacity && endVector <= Self.vectorCapacity &- IOVector.maximumCount
  }

  /// Makes what room there is.
  @usableFromInline
  internal mutating func moveToStart() {
    let vectorCount = endVector &- firstVector
    unsafe chains.update(from: chains + firstChain, count: count)
    unsafe vectors.update(from: vectors + firstVector, count: vectorCount)
    (firstChain, endChain) = (0, count)
    (firstVector, endVector) = (0, vectorCount)
  }

  /// The segments that were put behind `endVector` become a chain.
  @inlinable @inline(__always)
  internal mutating func append(head: UInt16, segmentCount: Int, byteCount: Int) {
    unsafe chains[endChain] = Chain(
      head: head, segmentCount: UInt16(truncatingIfNeeded: segmentCount), byteCount: byteCount)
    endChain &+= 1
    endVector &+= segmentCount
    bytes &+= byteCount
  }

  /// Takes the oldest out. There must be one.
  @inlinable @inline(__always)
  internal mutating func removeFirst() -> Chain {
    let chain = first
    firstChain &+= 1
    firstVector &+= Int(chain.segmentCount)
    bytes &-= chain.byteCount
    if isEmpty { removeAll() }
    return chain
  }

  @inlinable @inline(__always)
  internal mutating func removeAll() {
    (firstChain, endChain, firstVector, endVector, bytes) = (0, 0, 0, 0, 0)
  }
}
