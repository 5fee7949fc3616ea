internal import ArgumentParser

@main
struct Mqctl: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "mqctl", version: "0.1.0")
}
