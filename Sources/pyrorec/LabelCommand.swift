import ArgumentParser
import Base
import Replayer
import Targets
import TraceFormat
import Uploader

struct LabelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "label",
    abstract: "Append labels for every series of a trace.",
    discussion: """
      Example:
        pyrorec label --label env=prod --label region=eu trace.seg

      The newest labels win; run it again to change them.
      """)

  @OptionGroup var traces: TraceArguments

  @Option(help: ArgumentHelp("A label of every series. May be given again.", valueName: "name=value"))
  var label: [LabelArgument] = []

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    guard !label.isEmpty else { throw ValidationError("give at least one --label NAME=VALUE") }
  }

  func run() throws {
    let console = messages.console
    var labels = LabelSet()
    for argument in label { labels[argument.label.name] = argument.label.value }
    for path in traces.paths {
      do throws(TraceError) {
        let appender = try SegmentAppender(path: path)
        try appender.append(
          TargetLabelsRecord(
            layer: appender.layer, process: nil,
            labels: labels.labels.map { TargetLabelsRecord.Label(name: $0.name, value: $0.value) }))
        try appender.close(.labels)
      } catch {
        console.error("\(error)")
        throw ExitCode(error.isUnreadableTrace ? ExitStatus.notATrace : ExitStatus.failed)
      }
      console.note("\(path): \(labels)")
    }
  }
}
