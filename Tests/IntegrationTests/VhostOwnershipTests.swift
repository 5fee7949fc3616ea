import CLinuxUAPI
import LinuxIO
import LinuxIOTesting
import Orchestrator
import SystemPackage
import Testing
import VhostKernel

/// VHOST_SET_OWNER binds a device to a process, and what follows from it.
@Suite(.enabled(if: VhostMachine.isAvailable, "\(VhostMachine.requirement)"))
struct VhostOwnershipTests {
  @Test func beforeOwnershipOnlyFeaturesWork() throws {
    let vhost = try VhostNet(kernel: LinuxKernel())
    let features = try vhost.features()
    #expect(features.isSuperset(of: [.version1, .mergeableReceiveBuffers, .eventIndex, .logAll]))
    try vhost.setFeatures(.version1)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.receive, to: 64) } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setMemoryTable(MemoryTable([])) } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setBackend(.receive, to: nil) } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.resetOwner() } == .notPermitted)
    try vhost.setOwner()
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setOwner() } == .resourceBusy)
    try vhost.setVringNumber(.receive, to: 64)
    try vhost.resetOwner()
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.receive, to: 64) } == .notPermitted)
    try vhost.setOwner()
  }

  @Test func anotherProcessIsRefusedUntilTheReset() async throws {
    let vhost = try VhostNet(kernel: LinuxKernel())
    try vhost.setOwner()
    await #expect(processExitsWith: .success) {
      [process = ProcessControl.processID as Int, number = Int(vhost.fileDescriptor.rawValue) as Int] in
      try VhostOwnershipTests.expectForeign(VhostNet(of: process, number))
    }
    try vhost.resetOwner()
    await #expect(processExitsWith: .success) {
      [process = ProcessControl.processID as Int, number = Int(vhost.fileDescriptor.rawValue) as Int] in
      // And it ends without giving it back.
      try VhostOwnershipTests.own(VhostNet(of: process, number))
    }
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setOwner() } == .resourceBusy)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.resetOwner() } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.receive, to: 64) } == .notPermitted)
  }

  /// fork(2) and execve(2) by a process of one thread: the child is another process, and so is the program.
  @Test func aForkedChildAndAnExecutedProgramAreStrangers() throws {
    let status = try ChildProcess.run("python3", "-c", Self.program)
    #expect(status == 0)
  }

  private static let program = """
    import errno, fcntl, os, struct, sys
    SET_OWNER, RESET_OWNER, VRING_NUM = 0xAF01, 0xAF02, 0x4008AF10
    def call(fd, request, argument=0):
        try:
            fcntl.ioctl(fd, request, argument)
        except OSError as error:
            return errno.errorcode[error.errno]
        return 'OK'
    def stranger(fd):
        answers = [call(fd, SET_OWNER), call(fd, RESET_OWNER), call(fd, VRING_NUM, struct.pack('II', 0, 64))]
        return answers == ['EBUSY', 'EPERM', 'EPERM']
    if len(sys.argv) > 1:
        sys.exit(0 if stranger(int(sys.argv[1])) else 3)
    fd = os.open('/dev/vhost-net', os.O_RDWR)
    assert call(fd, SET_OWNER) == 'OK'
    child = os.fork()
    if child == 0:
        os._exit(0 if stranger(fd) else 4)
    assert os.waitpid(child, 0)[1] == 0, 'fork'
    assert call(fd, VRING_NUM, struct.pack('II', 0, 64)) == 'OK'
    os.set_inheritable(fd, True)
    program = open('/proc/self/cmdline').read().split('\\0')[2]
    os.execvp('python3', ['python3', '-c', program, str(fd)])
    """

  /// What a process that is not the owner gets: EBUSY for the ownership, EPERM for the rest; the features alone are
  /// anybody's.
  static func expectForeign(_ vhost: borrowing VhostNet<BorrowingKernel>) throws {
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setOwner() } == .resourceBusy)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.resetOwner() } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setVringNumber(.receive, to: 64) } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in _ = try vhost.vringBase(of: .receive) } == .notPermitted)
    #expect(refusal(vhost) { vhost throws(VhostError) in try vhost.setBackend(.transmit, to: nil) } == .notPermitted)
    #expect(
      refusal(vhost) { vhost throws(VhostError) in try vhost.setMemoryTable(MemoryTable([])) } == .notPermitted)
    let features = try vhost.features()
    #expect(features.contains(.version1))
  }

  static func own(_ vhost: borrowing VhostNet<BorrowingKernel>) throws {
    try vhost.setOwner()
    try vhost.setVringNumber(.receive, to: 64)
  }
}

/// What a call on a device is refused with; nil if it is not.
func refusal<Kernel: KernelInterface>(
  _ vhost: borrowing VhostNet<Kernel>, _ call: (borrowing VhostNet<Kernel>) throws(VhostError) -> Void
) -> Errno? {
  do {
    try call(vhost)
    return nil
  } catch {
    return error.errno
  }
}
