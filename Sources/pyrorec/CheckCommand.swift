import ArgumentParser
import Base
import Configuration
import Discovery
import Targets

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check an Alloy configuration, and show what it would profile here and under which labels.",
    discussion: """
      Examples:
        pyrorec check config.alloy
        pyrorec check --format json config.alloy | jq '.profilers[].targets[].labels'

      Every error of the file is shown, and the exit status is then 64. Docker and Kubernetes are asked for their targets;
      one that does not answer is a warning. Nothing is sent and nothing is changed.
      """)

  @Argument(help: "The configuration, or a directory of files ending in .alloy that are one.")
  var file: String

  @Option(name: [.short, .long], help: "text or json.")
  var format = Format.text

  @OptionGroup var messages: MessageOptions

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  func run() throws {
    let console = messages.console
    let configuration = try console.configuration(file)
    let processes = LiveProcesses()
    var refused: [String] = []
    var unasked: [String: String] = [:]
    let stop = try console.waker()
    let evaluation = configuration.evaluate { component, arguments in
      switch component.kind.name {
      case ComponentKind.discoveryProcess.name:
        let found = ProcessDiscovery(arguments.processDiscovery).targets(in: processes, joining: arguments.targets("join"))
        if found.refused > 0 { refused.append("\(component.id): \(found.refused) processes could not be read; \(found.firstReason)") }
        return found.targets
      default:
        do throws(DiscoveryError) {
          guard let source = try NetworkSource.make(component, arguments) else { return [] }
          let found = try source.find(until: stop)
          for note in found.notes { refused.append("\(component.id): \(note)") }
          return found.targets
        } catch {
          unasked[component.id] = error.description
          refused.append("\(component.id): \(error)")
          return []
        }
      }
    }
    if !evaluation.problems.isEmpty {
      let problems = Configuration.Problems(diagnostics: evaluation.problems, file: configuration.file)
      if problems.diagnostics.contains(where: { $0.severity == .error }) {
        StandardErrorHandler.write(problems.text)
        throw ExitCode(ExitStatus.misuse)
      }
    }
    for line in refused { console.warning(line) }
    let report = CheckReport(configuration, evaluation, unasked: unasked, processes: RunningProcesses(processes))
    try console.write(format == .json ? report.json() : report.text(file: file), to: nil)
  }
}

/// Which processes there are now, and in which container each is.
struct RunningProcesses {
  private(set) var ids: Set<UInt32> = []
  private(set) var countByContainer: [String: Int] = [:]

  init(_ information: some ProcessInformation) {
    for process in information.processes() {
      ids.insert(process)
      guard case .known(let text) = information.read(process, "cgroup"),
        let id = ContainerID.find(inCgroupFile: String(decoding: text, as: UTF8.self))
      else { continue }
      countByContainer[id, default: 0] += 1
    }
  }

  /// How many processes a target is about; `nil` when it names none.
  func count(of target: LabelSet) -> Int? {
    switch TargetIdentity(target) {
    case .process(let process): ids.contains(process) ? 1 : 0
    case .container(let container): countByContainer[container] ?? 0
    case nil: nil
    }
  }
}
