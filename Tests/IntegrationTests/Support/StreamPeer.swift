import Testing

/// The host's end of a guest's streams: `peer` of lab/guest, in the namespace of the calling thread.
final class StreamPeer {
  let port: Int
  private let report: ReportReader
  private let seconds: Double

  init(seconds: Double) throws {
    let built = try Programs.run(["\(Programs.root)/lab/guest/build"], seconds: 300)
    #expect(built.code == 0, "\(built)")
    let folder = try #require(built.out.split(separator: "\n").first)
    let process = try RunningProcess(["\(folder)/peer", GuestRun.hostAddress, "0", "\(Int(seconds))"])
    report = ReportReader(process, mark: "PEER")
    port = try #require(report.lines(upTo: "ready", seconds: 60).last)["port"]
    self.seconds = seconds
  }

  /// How the next stream to end has ended: `sent`, `received` or `failed`.
  func result() throws -> ReportReader.Line {
    try #require(report.lines(upTo: "sent", "received", "failed", seconds: seconds).last)
  }
}
