import Base
import Profile
import Symbolize
import TraceFormat

/// What every offline stage makes of a trace, as text that can be kept beside it, compared and reviewed.
package struct GoldenOutputs: Sendable {
  package struct Output: Sendable {
    /// Put behind the trace's own name: `.collapsed.txt`.
    package var suffix: String
    package var bytes: [UInt8]
  }
  package let outputs: [Output]

  /// Symbols come from the trace alone, so that the outputs are the same on every machine.
  package init(of trace: LoadedTrace, workers: Int) {
    let copies = RecordedCopies(trace)
    let locator = ImageLocator(access: NoFiles()) { copies.copy(of: $0) }
    let stage = SymbolizeStage(symbolizer: Symbolizer(locator: locator), workers: workers)
    var configuration = ReplayConfiguration()
    configuration.workers = workers
    configuration.groupsByThreadName = true
    let byThread = Replay(header: trace.reader.header, contents: trace.contents, configuration, symbolizingWith: stage)
    configuration.groupsByThreadName = false
    let merged = Replay(header: trace.reader.header, contents: trace.contents, configuration, symbolizingWith: stage)
    var report = merged.report()
    report.note(trace)
    var options = FormatOptions()
    options.annotate = true
    outputs = [
      Output(suffix: ".collapsed.txt", bytes: CollapsedFormat.encode(byThread.profile(), options)),
      Output(suffix: ".pprof.txt", bytes: Array(PprofText.text(merged.profile()).utf8)),
      Output(suffix: ".report.json", bytes: report.json()),
    ]
  }

  /// A machine without a single file.
  private struct NoFiles: DebugFileAccess {
    func status(of path: String) -> DebugFileStatus? { nil }
    func open(_ path: String) throws(SystemCallError) -> ImageBytes {
      throw SystemCallError(call: "open", path: path, code: 2)
    }
  }
}
