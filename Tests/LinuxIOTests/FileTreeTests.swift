import LinuxIO
import SystemPackage
import Testing

@Suite struct FileTreeTests {
  @Test func entriesAndLinks() throws {
    #expect(try Set(FileTree.entries(of: "/proc/self")).isSuperset(of: ["fd", "comm", "task"]))
    #expect(try !FileTree.entries(of: "/proc/self").contains { [".", ".."].contains($0) })
    #expect(try FileTree.linkTarget(of: "/proc/self") == String(ProcessControl.processID))
    #expect(throws: Errno.noSuchFileOrDirectory) { try FileTree.entries(of: "/nowhere") }
    #expect(throws: Errno.notDirectory) { try FileTree.entries(of: "/proc/self/comm") }
    #expect(throws: Errno.invalidArgument) { try FileTree.linkTarget(of: "/proc/self/comm") }
  }

  @Test func text() throws {
    let whole = try FileTree.text(of: "/proc/self/status")
    #expect(whole.hasPrefix("Name:") && whole.last?.isWhitespace == false)
    #expect(try FileTree.text(of: "/proc/self/status", limit: 4) == "Name")
    #expect(try FileTree.text(of: "/dev/null") == "")
    #expect(throws: Errno.noSuchFileOrDirectory) { try FileTree.text(of: "/nowhere") }
    #expect(throws: Errno.isDirectory) { try FileTree.text(of: "/proc") }
  }

  @Test func identities() throws {
    let own = try FileTree.identity(of: "/proc/self/ns/net")
    #expect(try FileTree.identity(of: "/proc/thread-self/ns/net") == own)
    #expect(try FileTree.identity(of: "/proc/self/ns/mnt") != own)
    let event = try LinuxKernel().open("/dev/null", nonBlocking: false)
    #expect(try FileTree.identity(of: event.descriptor) == FileTree.identity(of: "/dev/null"))
    #expect(throws: Errno.badFileDescriptor) { try FileTree.identity(of: FileDescriptor(rawValue: -1)) }
  }

  @Test func characterDevices() throws {
    let null = DeviceNumber(major: 1, minor: 3)
    #expect(try FileTree.characterDevice(of: "/dev/null") == null)
    let file = try LinuxKernel().open("/dev/null", nonBlocking: false)
    #expect(try FileTree.characterDevice(of: "/proc/thread-self/fd/\(file.rawValue)") == null)
    for other in ["/proc/self/comm", "/dev", "/proc/thread-self/ns/net"] {
      #expect(throws: Errno.operationNotSupportedByDevice) { try FileTree.characterDevice(of: other) }
    }
    #expect(throws: Errno.noSuchFileOrDirectory) { try FileTree.characterDevice(of: "/nowhere") }
  }
}
