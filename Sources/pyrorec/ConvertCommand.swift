import Agent
import ArgumentParser
import Base
import JavaProfiles
import Profile
import Replayer
import Symbolize
import Targets
import TraceFormat

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Turn a trace into a profile.",
    discussion: """
      Examples:
        pyrorec convert -o profile.pb.gz && go tool pprof -top profile.pb.gz
        pyrorec convert -f collapsed | flamegraph.pl > flame.svg
        pyrorec convert -o profiles/          one pprof file for each service
        pyrorec convert -o app.pb.gz app.jfr  a JVM's recording: one file for each metric

      Without symbols in the trace they are looked up from the copies it carries.
      """)

  @OptionGroup var traces: TraceArguments

  @Option(name: [.short, .long], help: ArgumentHelp("pprof, collapsed, or json for the report.", valueName: "format"))
  var format = OutputFormat.pprof

  @Option(name: [.short, .long], help: "Where to; standard output when not given. A name that ends in / gets a file for each service.")
  var output: String?

  @Option(help: ArgumentHelp("How C++, Rust and Swift names are shown: none, simplified, templates or full.", valueName: "mode"))
  var demangle = DemangleMode.simplified

  @Flag(help: "collapsed: mark kernel frames with _[k] and inlined ones with _[i].")
  var annotate = false

  @Flag(help: "collapsed: add (FILE:LINE) to names.")
  var lines = false

  @Flag(help: "Exit with status 2 when something of the recording was lost.")
  var strict = false

  @Option(help: ArgumentHelp("JFR: only this metric: cpu, wall, alloc_sample, mutex, block…", valueName: "name"))
  var metric: String?

  @OptionGroup var java: JavaArguments
  @OptionGroup var symbols: SymbolOptions
  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case pprof, collapsed, json

    var profileFormat: (any ProfileFormat.Type)? { ProfileFormats.named(rawValue) }
    var fileExtension: String {
      switch self {
      case .pprof: "pb.gz"
      case .collapsed: "txt"
      case .json: "json"
      }
    }
  }

  func validate() throws {
    guard traces.paths.count == 1 || output?.hasSuffix("/") == true else {
      throw ValidationError("several traces need a directory: -o DIR/")
    }
    guard format != .json || output?.hasSuffix("/") != true else {
      throw ValidationError("the json report is one of a whole trace: -o FILE")
    }
  }

  func run() throws {
    let console = messages.console
    var hasLosses = false
    for path in traces.paths {
      if JavaFile.isRecording(path) {
        hasLosses = try convertRecording(path, console) || hasLosses
        continue
      }
      let converted = try convert(path, console)
      try write(converted.outputs, console)
      hasLosses = hasLosses || converted.hasLosses
    }
    if strict, hasLosses { throw ExitCode(ExitStatus.losses) }
  }

  /// Writes a JVM's recording: its metrics differ in type, so each is a file of its own.
  /// - Returns: whether something of it was lost.
  private func convertRecording(_ path: String, _ console: Console) throws -> Bool {
    var asked = java.options
    asked.groupsByThreadName = format.profileFormat?.groupsByThreadName ?? false
    let (summary, all) = try JavaFile.load(path, asked, console)
    let hasLosses = !summary.isComplete || summary.lostSamples > 0
    guard let profileFormat = format.profileFormat else {
      try console.write(summary.json(all), to: output)
      return hasLosses
    }
    let profiles = all.filter { metric == nil || $0.metric.name == metric }
    let names = all.map(\.metric.name).joined(separator: ", ")
    guard let first = profiles.first else {
      console.error(
        all.isEmpty
          ? "\(path) holds no samples that a profile can be made of; see `pyrorec inspect`" : "\(path) has no \(metric ?? ""), but \(names)"
      )
      throw ExitCode(ExitStatus.failed)
    }
    let options = FormatOptions(annotate: annotate, lines: lines)
    func write(_ profile: JavaProfile, to name: String?) throws {
      try console.write(profileFormat.encode(profile.profile, options), to: name, createsDirectories: output?.hasSuffix("/") == true)
    }
    guard let output, output != "-" else {
      try write(first, to: nil)
      if profiles.count > 1 {
        console.note("this is \(first.metric.name); of \(names) ask for another with --metric, or for all with -o FILE")
      }
      return hasLosses
    }
    if output.hasSuffix("/") {
      let stem = FileName.stem(of: path)
      for profile in profiles { try write(profile, to: "\(output)\(stem).\(profile.metric.name).\(format.fileExtension)") }
      return hasLosses
    }
    try write(first, to: output)
    let others = profiles.dropFirst().map { ($0, FileName.beside(output, $0.metric.name)) }
    for (profile, name) in others { try write(profile, to: name) }
    if !others.isEmpty {
      console.note("\(output) is \(first.metric.name); the other metrics are in " + others.map(\.1).joined(separator: ", "))
    }
    return hasLosses
  }

  private enum Output {
    case report([UInt8])
    case profile(Profile)
    case series(Profile, path: String)
  }

  /// The outputs of one trace. The trace itself is let go before they are written: that takes room of its own.
  private func convert(_ path: String, _ console: Console) throws -> (outputs: [Output], hasLosses: Bool) {
    var trace = try console.load(path, workers: workers.count)
    let hasLosses = trace.contents.lostSamples > 0 || !trace.isComplete
    var configuration = ReplayConfiguration()
    configuration.workers = workers.count
    configuration.demangle = demangle
    configuration.groupsByThreadName = format.profileFormat?.groupsByThreadName ?? false
    let stage = symbols.stage(for: trace, workers: workers.count)
    let replay = Replay(
      header: trace.reader.header, contents: trace.takeContents(), configuration, symbolizingWith: stage)
    guard format.profileFormat != nil else {
      var report = replay.report()
      report.note(trace)
      return ([.report(report.json())], hasLosses)
    }
    let recordings = TraceJava(replay.contents)
    var options = java.options
    options.groupsByThreadName = configuration.groupsByThreadName
    guard let directory = output, directory.hasSuffix("/") else {
      return (try whole(replay, recordings, options, console), hasLosses)
    }
    let stem = FileName.stem(of: trace.reader.path)
    func place(_ labels: LabelSet, _ metric: String) -> String {
      "\(directory)\(stem).\(FileName.safe(labels["service_name"] ?? "unspecified")).\(metric).\(format.fileExtension)"
    }
    var outputs = replay.profilesBySeries().map { Output.series($0.profile, path: place($0.labels, "cpu")) }
    for series in recordings.series(replay.labels(of: recordings.processes), options, warn: { console.warning($0) }) {
      outputs += series.profiles.map { .series($0.profile, path: place(series.labels, Self.javaName($0.metric))) }
    }
    return (outputs, hasLosses)
  }

  /// Beside the samples' own `cpu` there may be the JVM's.
  private static func javaName(_ metric: JavaMetric) -> String { "java_\(metric.name)" }

  /// The profile of all samples, and beside it one file for each metric of the JVMs' own recordings.
  private func whole(_ replay: Replay, _ recordings: TraceJava, _ options: JavaOptions, _ console: Console) throws -> [Output] {
    let profiles = recordings.isEmpty ? [] : recordings.all(options, warn: { console.warning($0) }).profiles
    if let metric {
      guard let asked = profiles.first(where: { Self.javaName($0.metric) == metric || $0.metric.name == metric }) else {
        let names = profiles.map { Self.javaName($0.metric) }.joined(separator: ", ")
        console.error("no JVM recorded \(metric) in this trace" + (names.isEmpty ? "; record --java does" : ", but \(names)"))
        throw ExitCode(ExitStatus.failed)
      }
      return [.profile(asked.profile)]
    }
    guard !profiles.isEmpty else { return [.profile(replay.profile())] }
    guard let output, output != "-" else {
      let names = profiles.map { Self.javaName($0.metric) }.joined(separator: ", ")
      console.note("this is cpu, as sampled from outside; of \(names) ask for one with --metric, or for all with -o FILE")
      return [.profile(replay.profile())]
    }
    return [.profile(replay.profile())] + profiles.map { .series($0.profile, path: FileName.beside(output, Self.javaName($0.metric))) }
  }

  private func write(_ outputs: [Output], _ console: Console) throws {
    for item in outputs {
      switch item {
      case .report(let bytes): try console.write(bytes, to: output)
      case .profile(let profile): try write(profile, to: output, console)
      case .series(let profile, let path): try write(profile, to: path, createsDirectories: true, console)
      }
    }
  }

  private func write(_ profile: Profile, to path: String?, createsDirectories: Bool = false, _ console: Console) throws {
    guard let format = format.profileFormat else { return }
    var options = FormatOptions()
    options.annotate = annotate
    options.lines = lines
    try console.write(to: path, createsDirectories: createsDirectories) { (put: Console.Put) throws(SystemCallError) in
      try format.encode(profile, options, to: put)
    }
  }
}

extension DemangleMode: ExpressibleByArgument {}
