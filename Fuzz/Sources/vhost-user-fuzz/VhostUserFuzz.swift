import Glibc
import VhostUserFuzzing

/// libFuzzer's loop, where the program has a main of its own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What libFuzzer calls with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  Fuzz.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// SwiftPM points `main` here (`--defsym main=vhost_user_fuzz_main`), so libFuzzer's own main stays out. With
/// `--write-corpus DIR` the conversations are written as inputs; otherwise the arguments are libFuzzer's.
@_cdecl("vhost_user_fuzz_main")
public func main(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
  if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "--write-corpus" {
    return writeCorpus(to: CommandLine.arguments[2]) ? 0 : 1
  }
  var count = count
  var arguments = arguments
  return runDriver(&count, &arguments, testOneInput)
}

private func writeCorpus(to directory: String) -> Bool {
  for (name, messages) in Conversations.all {
    guard let file = fopen("\(directory)/\(name)", "w") else { return false }
    let bytes = messages.flatMap { FuzzFrame($0, needsReply: true).input }
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { return false }
  }
  return true
}
