import LinuxIO
import LoadGenerator
import Testing

/// What a tap has received so far: the frames that its guests have sent.
func framesFromGuests(of tap: String) throws -> Int {
  let table = try FileTree.text(of: "/proc/thread-self/net/dev")
  return try #require(TapCounters(of: tap, in: table)).fromGuests
}
