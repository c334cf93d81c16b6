import ArgumentParser
import Base
import Replayer
import Symbolize
import TraceFormat

struct SymbolizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbolize",
    abstract: "Look up the functions of every recorded address and append them to the trace.",
    discussion: """
      Example:
        pyrorec symbolize --debug-directory /srv/debug trace.seg

      Symbols come from the copies in the trace, from debug files under the given directories, and from those that
      gdb would find on this machine. Run it again when more debug files are there: the newest symbols win.
      """)

  @OptionGroup var traces: TraceArguments
  @OptionGroup var symbols: SymbolOptions
  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func run() throws {
    let console = messages.console
    for path in traces.paths { try symbolize(path, console) }
  }

  private func symbolize(_ path: String, _ console: Console) throws {
    let trace = try console.load(path, workers: workers.count)
    console.progress("\(path): looking up symbols")
    var configuration = ReplayConfiguration()
    configuration.workers = workers.count
    configuration.ignoresRecordedSymbols = true
    let replay = Replay(
      header: trace.reader.header, contents: trace.contents, configuration,
      symbolizingWith: symbols.stage(for: trace, workers: workers.count))
    console.endProgress()
    for image in replay.imageSteps {
      console.detail("\(image.path): \(image.addressCount) addresses")
      for step in image.steps { console.detail("  \(step)") }
    }
    do throws(TraceError) {
      let appender = try SegmentAppender(path: path)
      for record in replay.symbolRecords(layer: appender.layer) { try appender.append(record) }
      try appender.close(.symbols)
    } catch {
      console.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    let report = replay.report(functionCount: 0)
    console.note("\(path): \(report.namedAddresses) of \(report.addresses) addresses have names")
    for line in report.missingSymbolLines() { console.note("  \(line)") }
  }
}
