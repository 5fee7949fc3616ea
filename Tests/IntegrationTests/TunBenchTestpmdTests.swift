import Foundation
import LinuxIO
import Testing

/// `mqctl bench` against a back end that is nobody's here: DPDK's net_vhost, whose testpmd sends every frame back.
@Suite(
  .enabled(
    if: FileManager.default.isExecutableFile(atPath: testpmd), "needs \(testpmd), of Debian's package dpdk-dev"))
struct TunBenchTestpmdTests {
  @Test func everyFrameComesBack() throws {
    let folder = try PublicFolder()
    let socket = "\(folder.path)/testpmd.sock"
    let cpus = try Processors.allowed()
    let process = try RunningProcess([
      testpmd, "--lcores", "0@\(cpus[0]),1@\(cpus[cpus.count - 1])", "--no-huge", "-m", "512", "--no-pci",
      "--no-telemetry", "--file-prefix", Unique.name("mqctl"), "--vdev", "net_vhost0,iface=\(socket),queues=2", "--",
      "-i",
      "-a", "--nb-cores=1", "--rxq=2", "--txq=2", "--total-num-mbufs=8192",
    ])
    try process.waitForOutput("testpmd> ", seconds: 120)
    let outcome = try mqctl(
      "bench", "--through", socket, "--pairs", "1,2", "--size", "64,1500,65536", "--seconds", "0.3", "--json",
      seconds: 300)
    #expect(outcome.code == 0, "\(outcome)\n\(process.outText)")
    let result = try BenchResult(outcome)
    #expect(result.measurements.map { "\($0.pairs) \($0.size)" } == ["1 64", "1 1500", "2 64", "2 1500"], "\(outcome)")
    for one in result.measurements {
      for flow in one.flows {
        #expect(flow.transmittedPerSecond > 0 && flow.receivedPerSecond > 0, "\(one)")
        #expect((flow.latency?.count ?? 0) > 0, "\(one)")
      }
      // The process at the other end, and where it ran.
      #expect((one.total.workerSecondsPerMillion ?? 0) > 0 && !one.total.workerCPUs.isEmpty, "\(one)")
      #expect(one.stray == 0, "a frame comes back in its own pair: \(one)")
      #expect(one.ringsReceived <= one.ringsTransmitted, "\(one)")
    }
    // Without TSO in the back end there is no row of 64 KiB.
    #expect(result.omissions.map(\.size) == [65535, 65535], "\(outcome)")
    #expect(result.omissions.allSatisfy { $0.reason.contains("HOST_TSO4") }, "\(outcome)")
    try process.write("quit\n")
    _ = try process.wait()
  }
}

private let testpmd = "/usr/bin/dpdk-testpmd"
