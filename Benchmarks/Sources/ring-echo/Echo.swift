internal import BasicContainers
internal import LinuxIO
internal import SystemPackage
internal import VhostUser
internal import Virtqueue

/// `ring-echo SOCKET`: a vhost-user back end of one pair without a tap. What a front end sends on its TX ring it gets back on its
/// RX ring, by the library's device rings on one thread that never sleeps, as DPDK's do. For one front end; ends when that goes.
@main
struct Echo {
  static func main() {
    do {
      guard CommandLine.arguments.count == 2 else { throw EchoError("usage: ring-echo SOCKET") }
      let kernel = LinuxKernel()
      let listener = try UnixStream.listen(at: CommandLine.arguments[1])
      _ = try kernel.poll([listener.descriptor], milliseconds: -1)
      var device = EchoDevice(socket: try UnixStream.accept(on: listener.descriptor))
      try device.serve()
    } catch {
      fatalError("\(error)")
    }
  }
}

struct EchoError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A connection and what it has told.
struct EchoDevice: ~Copyable {
  private let kernel = LinuxKernel()
  private let socket: OwnedDescriptor
  private var session = Session(
    offer: Offer(
      deviceFeatures: [.mergeableReceiveBuffers, .indirectDescriptors, .eventIndex, .version1, .inOrder],
      protocolFeatures: [.replyAck],
      queuePairs: 1, config: NetConfig(mac: [], queuePairs: 1, mtu: 1500), queueNumber: .pairs))
  // The rings end before their memory.
  private var echo: EchoRings?
  private var memory = UniqueArray<SharedMapping>()
  private var bases: [UInt16] = [0, 0]

  init(socket: consuming OwnedDescriptor) {
    self.socket = socket
  }

  /// Until the front end hangs up.
  mutating func serve() throws {
    while true {
      if echo != nil {
        // The socket is looked at once in a while, by a call that costs less than a frame each.
        for _ in 0..<4096 { try echo?.turn() }
        guard try kernel.poll([socket.descriptor], milliseconds: 0)[0] else { continue }
      }
      guard try answerNext() else { return }
    }
  }

  private mutating func answerNext() throws -> Bool {
    var files = UniqueArray<OwnedDescriptor>()
    let head = try read(MessageHeader.byteCount, &files)
    guard !head.isEmpty else { return false }
    let header = try MessageHeader(bytes: head)
    let payload = try read(Int(header.payloadSize), &files)
    let message = try FrontEndMessage.decode(header: header, payload: payload, descriptorCount: files.count)
    let answer: [UInt8]?
    switch try session.receive(message) {
    case .reply(let bytes): answer = bytes
    case .stop(let ring):
      stop()
      answer = session.replyBase(ring: ring, base: bases[ring])
    case .setMemoryTable(let regions):
      stop()
      memory = UniqueArray()
      for (index, region) in regions.enumerated() {
        memory.append(
          try kernel.mmap(files[index].descriptor, offset: region.fileOffset, byteCount: Int(region.byteCount)))
      }
      answer = session.acknowledgement(of: header, failed: false)
    case .setRing(let ring, .base(let base)):
      bases[ring] = base
      answer = session.acknowledgement(of: header, failed: false)
    default: answer = session.acknowledgement(of: header, failed: false)
    }
    if let answer { try UnixStream.send(answer, to: socket.descriptor) }
    if echo == nil, session.rings.allSatisfy(\.isRunning) { try start() }
    if !session.rings.allSatisfy(\.isRunning) { stop() }
    return true
  }

  private func read(_ count: Int, _ files: inout UniqueArray<OwnedDescriptor>) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      _ = try kernel.poll([socket.descriptor], milliseconds: -1)
      var part: [UInt8] = []
      var received = try UnixStream.receive(from: socket.descriptor, into: &part, atMost: count - bytes.count)
      guard received.byteCount > 0 else { return [] }
      if received.descriptors.count > 0 { swap(&files, &received.descriptors) }
      bytes += part
    }
    return bytes
  }

  private mutating func start() throws {
    guard let receive = ring(0), let transmit = ring(1) else { throw EchoError("no ring where the front end has it") }
    echo = EchoRings(receive: receive, transmit: transmit)
  }

  private mutating func stop() {
    guard var rings = echo.take() else { return }
    bases = rings.stop()
  }

  private func ring(_ index: Int) -> DeviceRing? {
    guard let places = session.places(ofRing: index), let size = session.rings[index].size else { return nil }
    var regions: [GuestRegion] = []
    for (position, region) in session.memory.regions.enumerated() {
      unsafe regions.append(
        GuestRegion(
          guestAddress: region.guestAddress, byteCount: region.byteCount, base: memory[position].baseAddress))
    }
    let parts = unsafe DeviceRing.Parts(
      descriptors: address(places.descriptors), available: address(places.available), used: address(places.used))
    var features: DeviceRing.Features = [.version1]
    let negotiated = session.features ?? []
    if negotiated.contains(.mergeableReceiveBuffers) { features.insert(.mergeableReceiveBuffers) }
    if negotiated.contains(.indirectDescriptors) { features.insert(.indirectDescriptors) }
    if negotiated.contains(.eventIndex) { features.insert(.eventIndex) }
    return unsafe DeviceRing(size: size, parts: parts, regions: regions, features: features, base: bases[index])
  }

  private func address(_ place: MemoryPlace) -> UnsafeMutableRawPointer {
    unsafe memory[place.region].baseAddress + Int(place.offset)
  }
}
