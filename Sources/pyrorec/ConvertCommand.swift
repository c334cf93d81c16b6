import ArgumentParser
import Base
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
      let converted = try convert(path, console)
      try write(converted.outputs, console)
      hasLosses = hasLosses || converted.hasLosses
    }
    if strict, hasLosses { throw ExitCode(ExitStatus.losses) }
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
    guard let directory = output, directory.hasSuffix("/") else { return ([.profile(replay.profile())], hasLosses) }
    let stem = FileName.stem(of: trace.reader.path)
    let outputs = replay.profilesBySeries().map { series in
      let service = FileName.safe(series.labels["service_name"] ?? "unspecified")
      return Output.series(series.profile, path: "\(directory)\(stem).\(service).cpu.\(format.fileExtension)")
    }
    return (outputs, hasLosses)
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
