import ArgumentParser
import Glibc

@main struct Pyrorec: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "pyrorec",
    abstract: "Record CPU profiles of a Linux system, and symbolize, convert and upload them later.",
    discussion: """
      Example:
        pyrorec record -d 60s && pyrorec symbolize && pyrorec upload
      """,
    version: version,
    subcommands: [
      RecordCommand.self, SymbolizeCommand.self, LabelCommand.self, ConvertCommand.self, UploadCommand.self,
      InspectCommand.self, VerifyCommand.self, CheckCommand.self, RunCommand.self, ExtractCommand.self, ReplayCommand.self,
      JavaCommand.self,
    ])

  static func main() {
    // A reader that goes away (`| head`) shows itself as a failed write, which each command handles.
    _ = signal(SIGPIPE, SIG_IGN)
    main(JavaPID.namingAll(in: Array(CommandLine.arguments.dropFirst())))
  }
}
