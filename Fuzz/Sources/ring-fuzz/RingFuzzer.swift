import Glibc
import VirtqueueFuzzing

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
  // Memory of its own for each: a run must not depend on the one before.
  var fuzz = RingFuzz()
  fuzz.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// SwiftPM points `main` here (`--defsym main=ring_fuzz_main`), so libFuzzer's own main stays out. With
/// `--write-corpus DIR` the scripts are written as inputs; otherwise the arguments are libFuzzer's.
@_cdecl("ring_fuzz_main")
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
  for (name, bytes) in FuzzScripts.all {
    guard let file = fopen("\(directory)/\(name)", "w") else { return false }
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { return false }
  }
  return true
}
