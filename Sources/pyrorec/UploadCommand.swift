import Agent
import ArgumentParser
import Base
import Glibc
import JavaProfiles
import Profile
import Replayer
import Symbolize
import Targets
import TraceFormat
import Uploader

struct UploadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upload",
    abstract: "Send traces, JFR or pprof files to a Pyroscope server, or into a directory.",
    discussion: """
      Examples:
        pyrorec upload                                 to http://localhost:4040
        pyrorec upload --url https://profiles.example.org --user me --restamp
        pyrorec upload --url file:///srv/profiles      no server needed
        pyrorec upload --label service_name=shop cpu.pb.gz
        pyrorec upload --label service_name=shop app.jfr

      What could not be sent stays: the same command again sends only that. What was sent is noted in FILE.upload.
      Passwords and tokens come from PYROREC_PASSWORD and PYROREC_TOKEN or from files, never from the command line.
      """)

  @OptionGroup var traces: TraceArguments

  @Option(help: "http://, https:// or file:///DIR. Without it PYROREC_URL, or http://localhost:4040.")
  var url: String?

  @Option(help: ArgumentHelp("A label of every series, in place of one of that name. May be given again.", valueName: "name=value"))
  var label: [LabelArgument] = []

  @Flag(help: "Give the profiles new times, as if the recording had just ended, because servers refuse old ones.")
  var restamp = false

  @Option(help: ArgumentHelp("How C++, Rust and Swift names are shown: none, simplified, templates or full.", valueName: "mode"))
  var demangle = DemangleMode.simplified

  @OptionGroup var java: JavaArguments
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var symbols: SymbolOptions
  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func run() throws {
    let console = messages.console
    do {
      try send(try items(console), console)
    } catch let error as UploadError {
      console.endProgress()
      console.error("\(error)")
      throw ExitCode(Self.status(of: error))
    }
  }

  // MARK: What is sent

  /// Everything the files hold, by series.
  private func items(_ console: Console) throws -> [UploadItem] {
    var items: [UploadItem] = []
    for path in traces.paths {
      console.progress("\(path): reading")
      if JavaFile.isRecording(path) {
        items += try recordingItems(path, console)
        continue
      }
      let isProfile: Bool
      do { isProfile = try ProfileFile.isProfile(path) } catch { throw UploadError.file(error) }
      items += isProfile ? [try ProfileFile.item(path, labels)] : try segmentItems(path, console)
    }
    console.endProgress()
    return items
  }

  private var labels: [UploadLabel] { label.map(\.label) }

  /// One item a series of the trace at `path`.
  private func segmentItems(_ path: String, _ console: Console) throws -> [UploadItem] {
    let trace = try console.load(path, workers: workers.count)
    if trace.contents.sampleCount == 0, trace.contents.javaChunks.isEmpty { try refuse(trace, console) }
    var configuration = ReplayConfiguration()
    configuration.workers = workers.count
    configuration.demangle = demangle
    let replay = Replay(
      header: trace.reader.header, contents: trace.contents, configuration,
      symbolizingWith: symbols.stage(for: trace, workers: workers.count))
    let recordings = TraceJava(replay.contents)
    let javaItems = recordings.series(replay.labels(of: recordings.processes), java.options, warn: { console.warning($0) }).flatMap {
      series in
      series.profiles.map { profile in
        var own = series.labels.labels.map { UploadLabel($0.name, $0.value) }
        own = own.overridden(by: profile.labels.map { UploadLabel($0.name, $0.value) })
        return UploadItem(
          source: path, labels: own.overridden(by: labels), metric: profile.seriesName, profile: EncodedProfile(profile.profile))
      }
    }
    return javaItems
      + replay.profilesBySeries().map { series in
        let own = series.labels.labels.map { UploadLabel($0.name, $0.value) }
        let encoded = EncodedProfile(series.profile)
        let metric = MetricName.guess(sampleTypes: encoded.sampleTypes)
        return UploadItem(source: path, labels: own.overridden(by: labels), metric: metric, profile: encoded)
      }
  }

  /// A trace without samples gives no profile. Where damage is to blame it is no readable trace; else nothing ran.
  private func refuse(_ trace: LoadedTrace, _ console: Console) throws {
    let path = trace.reader.path
    guard trace.damage.isEmpty else {
      console.error(
        """
        \(path): nothing to send: no sample of it can be read, because \(trace.damage.count) of its regions are damaged. \
        `pyrorec verify` says what is left; send an intact copy of the file
        """)
      throw ExitCode(ExitStatus.notATrace)
    }
    console.warning("\(path): nothing to send: no sample was \(trace.contents.lostSamples > 0 ? "kept" : "recorded")")
  }

  /// One item a metric of the JVM's recording at `path`. Without a service name the
  /// file's name is the service.
  private func recordingItems(_ path: String, _ console: Console) throws -> [UploadItem] {
    let (_, profiles) = try JavaFile.load(path, java.options, console)
    return profiles.map { profile in
      var own = [UploadLabel("service_name", FileName.stem(of: path))]
      own += profile.labels.map { UploadLabel($0.name, $0.value) }
      return UploadItem(
        source: path, labels: own.overridden(by: labels), metric: profile.seriesName, profile: EncodedProfile(profile.profile))
    }
  }

  // MARK: Sending

  /// More are told only with `--verbose`.
  private static let shownRefusals = 5

  private func send(_ items: [UploadItem], _ console: Console) throws {
    let destination = try Destinations.open(address, try connection.options)
    for warning in destination.warnings { console.warning(warning) }
    let clock = SystemClock()
    let plan = try UploadPlan(items, rules: destination.rules, now: clock.unixNanoseconds(), restamp: restamp)
    for note in plan.notes { if note.isWarning { console.warning("\(note)") } else { console.note("\(note)") } }

    var journals: [String: UploadJournal] = [:]
    if destination.identity != nil {
      for path in Set(items.map(\.source)) { journals[path] = try UploadJournal(besides: path) }
    }
    var policy = RetryPolicy()
    policy.attempts = connection.retries + 1
    var queue = UploadQueue(to: destination, policy: policy, clock: clock, seed: .random(in: 0...UInt64.max))
    var done = 0
    var refusals = 0
    let summary = queue.run(plan, journals: journals) { event in
      switch event {
      case .sent(let upload):
        done += 1
        console.progress("\(done) of \(plan.uploads.count) sent")
        console.detail("sent \(upload.title), \(upload.profile.sampleCount) samples")
      case .refused(let upload, let why):
        refusals += 1
        console.endProgress()
        let message = "\(upload.title) was refused: \(why)"
        if refusals <= Self.shownRefusals { console.warning(message) } else { console.detail(message) }
      case .kept(let upload, let why):
        console.endProgress()
        console.warning("\(upload.title) is kept: \(why)")
      case .waiting(_, let why, let milliseconds, let attempt):
        console.endProgress()
        console.note("\(why); attempt \(attempt + 1) follows in \(Double(milliseconds / 100) / 10) s")
      }
    }
    console.endProgress()
    for path in journals.keys.sorted() {
      guard let problem = journals[path]?.problem else { continue }
      console.warning("what was sent cannot be noted, so the next upload would send it again: \(problem)")
    }
    try finish(summary, console)
  }

  private var address: String {
    if let url { return url }
    return Environment.value("PYROREC_URL") ?? "http://localhost:4040"
  }

  private func finish(_ summary: UploadSummary, _ console: Console) throws {
    var text = "\(summary.sent) of \(summary.total) profiles sent"
    if summary.sent > 0 { text += " (\((summary.sentBytes + 1023) / 1024) KiB)" }
    if let place = try? DestinationURL(address).text { text += " to \(place)" }
    if summary.alreadySent > 0 { text += ", \(summary.alreadySent) were sent before" }
    if !summary.refused.isEmpty { text += ", \(summary.refused.count) were refused" }
    if summary.kept > 0 { text += ", \(summary.kept) are kept for the next upload" }
    switch summary.stop {
    case .misconfigured(let why), .unavailable(let why): console.error(why)
    case nil: break
    }
    console.note(text)
    switch summary.verdict {
    case .complete: return
    case .partial: throw ExitCode(ExitStatus.failed)
    case .unavailable: throw ExitCode(ExitStatus.unavailable)
    }
  }

  private static func status(of error: UploadError) -> Int32 {
    switch error {
    case .invalidURL, .invalidHeader, .missingSecret: ExitStatus.misuse
    case .noLibrary: ExitStatus.unavailable
    case .profile: ExitStatus.notATrace
    case .unreadableFile, .file, .busy: ExitStatus.failed
    }
  }
}
