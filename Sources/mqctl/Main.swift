internal import ArgumentParser
internal import Glibc
internal import LinuxIO

@main
struct Main {
  static func main() {
    ProcessControl.ensureStandardDescriptors()
    let words = CommandLine.arguments.dropFirst()
    if words.first == "create", let request = CreateRequest(plain: words.dropFirst()) {
      do {
        return try request.carryOut()
      } catch let failure as Failure {
        Output(json: request.json).fail(failure)
      } catch {
        Output(json: request.json).fail(Failure(.other, "\(error)"))
      }
    }
    do {
      var command = try Mqctl.parseAsRoot()
      do {
        try command.run()
      } catch let failure as Failure {
        Output(json: (command as? any ReportingCommand)?.output.json ?? false).fail(failure)
      } catch let code as ExitCode {
        exit(code.rawValue)
      }
    } catch {
      let code = Mqctl.exitCode(for: error)
      if code.isSuccess {
        Output.print(Mqctl.fullMessage(for: error))
        exit(0)
      }
      // Words that could not be read hold the wish for JSON all the same; behind `--` they are another program's.
      let output = Output(json: CommandLine.arguments.prefix { $0 != "--" }.contains("--json"))
      let message = Mqctl.message(for: error)
      output.fail(code == .validationFailure ? .usage(message) : Failure(.other, message))
    }
  }
}

/// The root: names the verbs, does nothing itself.
struct Mqctl: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "mqctl",
    abstract: "Multi-queue taps and in-kernel vhost-net workers for virtual machines.",
    discussion: """
      Makes taps with up to 256 queue pairs, opens a vhost-net device for each pair, proves that every pair carries \
      packets, and hands the descriptors to a hypervisor that needs no privilege.

        mqctl create tap0 --pairs 8 --address 192.0.2.1/24
        mqctl exec tap0 --user vm -- \\
          qemu-system-x86_64 ... -netdev {netdev} -device {device}

      Exit codes: 0 done, or already so; 2 bad usage; 3 conflicts with what exists; 4 not permitted; 5 the kernel \
      lacks it; 1 anything else.
      """,
    version: version,
    subcommands: [
      Create.self, Delete.self, List.self, Show.self, Exec.self, Attach.self, Detach.self, Serve.self, Args.self,
      Verify.self, Bench.self, Doctor.self, Apply.self, PlanCommand.self, Export.self,
    ])
}
