import ArgumentParser
import Base
import Java

struct JavaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "java", abstract: "What stands in the way of profiling a JVM.", subcommands: [JavaDoctorCommand.self])
}

struct JavaDoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check whether a JVM can be profiled, and say what to do where it cannot.",
    discussion: """
      Examples:
        pyrorec java doctor              every JVM there is
        pyrorec java doctor 1234         one

      Exits with status 1 when one of them cannot be profiled as a JVM. A process that is no JVM gets no signal.
      """)

  @Option(help: ArgumentHelp("The async-profiler library that may be used.", valueName: "path"))
  var asyncProfiler: String?

  @OptionGroup var messages: MessageOptions

  @Argument(help: ArgumentHelp("Processes; every JVM when none is named.", valueName: "pid"))
  var processes: [UInt32] = []

  func run() throws {
    let console = messages.console
    let library: AgentLibrary?
    let doctors: [JavaDoctor]
    do throws(JavaError) {
      library = try asyncProfiler.map { path throws(JavaError) in try AgentLibrary(path: path) }
      let targets =
        processes.isEmpty ? JavaTarget.all() : try processes.map { process throws(JavaError) in try JavaTarget(process: process) }
      doctors = targets.map { JavaDoctor($0, asyncProfiler: library) }
    } catch {
      console.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    guard !doctors.isEmpty else {
      console.error("no JVM is running that can be looked at; as another user than root only one's own are")
      throw ExitCode(ExitStatus.failed)
    }
    let texts = doctors.map(Self.text)
    try console.write(Array(texts.joined(separator: "\n").utf8), to: nil)
    if !doctors.allSatisfy(\.isGood) { throw ExitCode(ExitStatus.failed) }
  }

  private static func text(_ doctor: JavaDoctor) -> String {
    var text = "process \(doctor.target.process)\n"
    for check in doctor.checks {
      text += "  \(check.outcome.rawValue.padded(to: 5))\(check.name.padded(to: 16))\(check.finding)\n"
      if !check.remedy.isEmpty { text += "\("".padded(to: 23))→ \(check.remedy)\n" }
    }
    return text + "  engine: \(doctor.engine.rawValue), because \(doctor.reason)\n"
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
