import LinuxIOTesting
import Testing

/// The command on this machine's tun driver, in network namespaces of the tests' own: one suite a file, as an extension.
///
/// One test at a time: a program that is being started holds copies of all of this process's descriptors until its exec,
/// so a tap queue that a test has closed would stay open a moment longer.
@Suite(.serialized, .enabled(if: FreshNamespace.isAvailable, "\(FreshNamespace.requirement)"))
enum TunTests {}
