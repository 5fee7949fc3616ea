import Testing

@testable import Orchestrator

/// What /proc/net/unix says of a process's sockets.
@Suite struct ServedSocketTests {
  private static let table = """
    Num       RefCount Protocol Flags    Type St Inode Path
    0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/a b.sock
    0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/a b.sock
    0000000000000000: 00000003 00000000 00000000 0001 03 13
    0000000000000000: 00000002 00000000 00000000 0001 02 0 /run/a b.sock
    0000000000000000: 00000002 00000000 00010000 0001 01 14 @abstract
    0000000000000000: 00000002 00000000 00010000 0005 01 15 /run/packets
    0000000000000000: 00000002 00000000 00000000 0002 01 16 /run/notify
    """

  private static func found(_ inodes: Int...) -> ServedSocket? { ServedSocket(table: table, inodes: Set(inodes)) }

  @Test func aListenerWithAndWithoutAFrontEnd() {
    #expect(Self.found(11) == ServedSocket(path: "/run/a b.sock", isConnected: false))
    #expect(Self.found(12, 11) == ServedSocket(path: "/run/a b.sock", isConnected: true))
    // It is somebody else's front end.
    #expect(Self.found(11, 13) == ServedSocket(path: "/run/a b.sock", isConnected: false))
    #expect(Self.found(14) == ServedSocket(path: "@abstract", isConnected: false))
  }

  @Test func nothingElseServes() {
    #expect(Self.found() == nil && Self.found(12, 13) == nil)
    #expect(Self.found(15) == nil && Self.found(16) == nil && Self.found(0) == nil)
    #expect(ServedSocket(table: "", inodes: [11]) == nil)
  }
}
