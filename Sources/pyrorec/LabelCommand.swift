import Agent
import ArgumentParser
import Base
import Configuration
import Replayer
import Targets
import TraceFormat
import Uploader

struct LabelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "label",
    abstract: "Append labels for the series of a trace.",
    discussion: """
      Examples:
        pyrorec label --label env=prod --label region=eu trace.seg
        pyrorec label --config config.alloy trace.seg

      With a configuration every program gets the labels that its target has by the rules; what no target claims is left
      out of the profiles, unless pyroscope.ebpf has targets_only = false. The newest labels win; run it again to change
      them.
      """)

  @OptionGroup var traces: TraceArguments

  @Option(help: ArgumentHelp("A label of every series. May be given again.", valueName: "name=value"))
  var label: [LabelArgument] = []

  @Option(help: ArgumentHelp("Take targets and rules from this Alloy configuration.", valueName: "file"))
  var config: String?

  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func validate() throws {
    guard !label.isEmpty || config != nil else { throw ValidationError("give at least one --label NAME=VALUE, or --config FILE") }
  }

  func run() throws {
    let console = messages.console
    var labels = LabelSet()
    for argument in label { labels[argument.label.name] = argument.label.value }
    let configuration = try config.map { try console.configuration($0) }
    for path in traces.paths {
      let programs = try configuration.map { configuration in
        ProgramLabels(try console.load(path, workers: workers.count).contents, configuration)
      }
      do throws(TraceError) {
        let appender = try SegmentAppender(path: path)
        if !labels.labels.isEmpty || programs == nil {
          try appender.append(TargetLabelsRecord(layer: appender.layer, process: nil, labels: labels.recorded))
        }
        for record in programs?.records(layer: appender.layer, also: labels) ?? [] { try appender.append(record) }
        try appender.close(.labels)
      } catch {
        console.error("\(error)")
        throw ExitCode(error.isUnreadableTrace ? ExitStatus.notATrace : ExitStatus.failed)
      }
      if let programs { console.note("\(path): \(programs.summary)") }
      if !labels.labels.isEmpty { console.note("\(path): \(labels)") }
    }
  }
}
