import ArgumentParser
import Base
import JavaProfiles
import Replayer
import Symbolize
import TraceFormat

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in a trace.",
    discussion: """
      Examples:
        pyrorec inspect
        pyrorec inspect --format json trace.seg | jq .samples
        pyrorec inspect app.jfr
      """)

  @Argument(help: "The trace; trace.seg in the current directory when not named.")
  var file = "trace.seg"

  @Option(name: [.short, .long], help: "text or json.")
  var format = Format.text

  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  func run() throws {
    let console = messages.console
    if JavaFile.isRecording(file) {
      let (summary, profiles) = try JavaFile.load(file, JavaOptions(), Console(quiet: true, verbose: false))
      return try console.write(format == .json ? summary.json(profiles) : summary.text(profiles), to: nil)
    }
    var trace = try console.load(file, workers: workers.count)
    // What it says of the trace it says of all of it.
    try trace.checkCopies(workers: workers.count)
    var configuration = ReplayConfiguration()
    configuration.workers = workers.count
    // Names come from the trace alone here: looking is not symbolizing.
    let replay = Replay(
      header: trace.reader.header, contents: trace.contents, configuration,
      symbolizingWith: SymbolizeStage.none)
    var report = replay.report(functionCount: 0)
    report.note(trace)
    let summary = TraceSummary(trace, report)
    let output = format == .json ? summary.json() : summary.text(verbose: messages.verbose)
    try console.write(output, to: nil)
  }
}

/// What `inspect` shows.
struct TraceSummary {
  private let trace: LoadedTrace
  private let report: ReplayReport
  private let imagesCopied: Int
  private let imageBytes: UInt64
  private let contentBytes: UInt64
  private let copyBytesInFile: UInt64
  private let hasSymbols: Bool

  init(_ trace: LoadedTrace, _ report: ReplayReport) {
    self.trace = trace
    self.report = report
    let ends = trace.contents.imageEnds.values
    imagesCopied = ends.count { $0.outcome == .symbols || $0.outcome == .full }
    imageBytes = ends.reduce(0) { $0 &+ $1.copiedByteCount }
    contentBytes = trace.reader.frames.reduce(0) { $0 + UInt64($1.contentByteCount) }
    copyBytesInFile = trace.reader.frames.filter { $0.kinds.contains(.imageChunk) }.reduce(0) { $0 + UInt64($1.byteCount) }
    hasSymbols = report.namedAddresses > 0 || !report.unknownAddresses.keys.allSatisfy { $0 == 0 }
  }

  func json() -> [UInt8] {
    let header = trace.reader.header
    var json = JSONWriter()
    json.object {
      $0.object("format") {
        $0.field("major", header.version.major)
        $0.field("minor", header.version.minor)
      }
      $0.field("complete", trace.isComplete)
      $0.field("closed", trace.reader.isClosed)
      $0.field("trace_id", report.traceID)
      $0.field("duration_seconds", Double(report.durationNanoseconds) / 1e9)
      $0.field("frequency_hz", report.frequencyHertz)
      $0.object("samples") {
        $0.field("recorded", report.samples)
        $0.field("lost", report.lostSamples)
        $0.field("user", trace.contents.userSampleCount)
        $0.field("kernel", trace.contents.kernelSampleCount)
        $0.field("weight", report.weight)
      }
      $0.object("unwind") {
        for result in UnwindResult.allCases { $0.field(result.name, report.unwindResults[result.rawValue] ?? 0) }
        for result in report.unwindResults.keys.sorted() where UnwindResult(rawValue: result) == nil {
          $0.field("result_\(result)", report.unwindResults[result] ?? 0)
        }
      }
      report.unwindBreaks(in: &$0)
      report.interpreters(in: &$0)
      $0.object("losses") {
        for reason in LossRecord.Reason.allCases { $0.field(reason.name, report.losses[reason] ?? 0) }
      }
      $0.field("stacks", report.stacks)
      $0.field("missing_stacks", report.missingStacks)
      $0.field("processes", report.processes)
      $0.field("threads", report.threads)
      $0.object("images") {
        $0.field("referenced", trace.contents.images.count)
        $0.field("copied", imagesCopied)
        $0.field("bytes", imageBytes)
        $0.field("stored_bytes", copyBytesInFile)
      }
      $0.object("symbols") {
        $0.field("addresses", report.addresses)
        $0.field("named", report.namedAddresses)
        $0.object("unknown") {
          for reason in report.unknownAddresses.keys.sorted() {
            $0.field(TraceSummary.reason(reason), report.unknownAddresses[reason] ?? 0)
          }
        }
      }
      $0.object("damage") {
        $0.field("regions", trace.damage.count)
        $0.field("inconsistent_records", report.inconsistentRecords)
        $0.field("unknown_records", trace.unknownRecords)
      }
      $0.field("bytes", trace.reader.byteCount)
      $0.field("content_bytes", contentBytes)
      $0.object("host") {
        $0.field("name", header.hostName)
        $0.field("machine", header.machine)
        $0.field("kernel", header.kernelRelease)
        $0.field("cpus", header.cpuCount)
      }
      $0.object("recorder") {
        $0.field("version", header.recorderVersion)
        for ability in header.abilities { $0.field(ability.name, ability.value) }
      }
      $0.object("facts") {
        for name in trace.contents.facts.keys.sorted() { $0.field(name, trace.contents.facts[name] ?? "") }
      }
    }
    return json.bytes + [0x0a]
  }

  /// 0 is what nobody looked up yet.
  private static func reason(_ raw: UInt8) -> String {
    raw == 0 ? "not_symbolized" : MissReason(rawValue: raw)?.name ?? "reason_\(raw)"
  }

  func text(verbose: Bool) -> [UInt8] {
    let header = trace.reader.header
    var lines: [String] = []
    func row(_ name: String, _ value: String) {
      lines.append(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }
    row("trace", report.traceID + (trace.isComplete ? "" : trace.reader.isClosed ? "  (damaged)" : "  (the recorder did not finish it)"))
    row("format", "\(header.version), written by pyrorec \(header.recorderVersion)")
    row("host", "\(header.hostName), \(header.machine), Linux \(header.kernelRelease), \(header.cpuCount) CPUs")
    if let command = trace.contents.facts["command"] { row("command", command) }
    if let end = trace.contents.facts["end.reason"] { row("ended by", end) }
    row("duration", "\(Double(report.durationNanoseconds / 1_000_000) / 1000) s at \(report.frequencyHertz) Hz")
    row(
      "samples",
      "\(report.samples) (\(trace.contents.userSampleCount) with user frames, \(trace.contents.kernelSampleCount) with kernel frames), \(report.lostSamples) lost"
    )
    for reason in LossRecord.Reason.allCases { if let count = report.losses[reason] { row("  lost", "\(reason.name): \(count)") } }
    for result in report.unwindResults.keys.sorted() {
      row("  unwind", "\(UnwindResult(rawValue: result)?.name ?? "result_\(result)"): \(report.unwindResults[result] ?? 0)")
    }
    for place in report.unwindBreaks.prefix(verbose ? .max : 8) {
      row("  breaks in", "\(place.path): \(place.reason)\(place.wasGuessed ? ", guessed" : ""): \(place.samples)")
    }
    for each in report.interpreters { row("interpreter", "\(each.runtime): \(each.frames) frames of \(each.codes) pieces of code") }
    for reason in report.interpreterFailures.keys.sorted() {
      row("  missing", "\(reason): \(report.interpreterFailures[reason] ?? 0)")
    }
    for refusal in (trace.contents.facts["interpreters.refused"] ?? "").split(separator: "\n") { row("  not read", String(refusal)) }
    row("stacks", "\(report.stacks)" + (report.missingStacks > 0 ? ", \(report.missingStacks) lost" : ""))
    row("programs", "\(report.processes), \(report.threads) threads")
    row("images", "\(trace.contents.images.count), \(imagesCopied) copied (\(imageBytes) bytes, \(copyBytesInFile) in the file)")
    row("addresses", "\(report.addresses), " + (hasSymbols ? "\(report.namedAddresses) with names" : "not symbolized yet"))
    for reason in report.unknownAddresses.keys.sorted() where reason != 0 {
      row("  unknown", "\(Self.reason(reason)): \(report.unknownAddresses[reason] ?? 0)")
    }
    row("file", "\(trace.reader.byteCount) bytes, \(contentBytes) when decompressed, \(trace.reader.frames.count) frames")
    if !trace.damage.isEmpty { row("damage", "\(trace.damage.count) regions; see `pyrorec verify`") }
    if verbose {
      lines.append("")
      lines.append("programs:")
      for handle in trace.contents.processes.keys.sorted() {
        guard let process = trace.contents.processes[handle] else { continue }
        let command = process.commandLine.isEmpty ? process.executable : process.commandLine.joined(separator: " ")
        lines.append(
          "  \(process.identity.pid) \(process.comm) \(command.prefix(200))"
            + (process.containerID.isEmpty ? "" : " [\(process.containerID.prefix(12))]"))
      }
      lines.append("images:")
      for handle in trace.contents.images.keys.sorted() {
        guard let image = trace.contents.images[handle], image.kind != .anonymous else { continue }
        let outcome = trace.contents.imageEnds[handle].map { "\($0.outcome)" } ?? "not sampled"
        lines.append("  \(image.path) \(image.buildID?.hex ?? "-") \(outcome)")
      }
    }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }
}
