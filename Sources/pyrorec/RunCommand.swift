import Agent
import ArgumentParser
import Base
import Configuration
import Discovery
import Glibc
import Java
import Recorder
import Targets

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Record continuously as an Alloy configuration says, and deliver the profiles.",
    discussion: """
      Example:
        pyrorec run config.alloy

      Windows of collect_interval are recorded into a spool, made into profiles and sent to every endpoint; what cannot be
      sent now is kept there and sent later, also by the next run. SIGHUP reads the configuration again, SIGTERM and
      Ctrl-C deliver the rest and end. Metrics and health are at /metrics, /-/ready and /-/healthy.
      """)

  @Argument(help: "The configuration, or a directory of files ending in .alloy that are one.")
  var file: String

  @Option(
    help: ArgumentHelp(
      "Where what is not delivered waits. Without it $STATE_DIRECTORY, $XDG_STATE_HOME/pyrorec or ~/.local/state/pyrorec.",
      valueName: "dir"))
  var spool: String?

  @Option(help: ArgumentHelp("How large the spool may become, in MiB; the oldest goes first.", valueName: "mib"))
  var spoolSize: UInt64 = 1024

  @Option(help: ArgumentHelp("How long something may wait in the spool.", valueName: "duration"))
  var spoolAge: DurationArgument?

  @Option(help: ArgumentHelp("How long the end may take to deliver the rest; 30s when not given.", valueName: "duration"))
  var drain: DurationArgument?

  @Option(
    name: .customLong("server.http.listen-addr"),
    help: ArgumentHelp("Where metrics and health are served, or none.", valueName: "host:port"))
  var listenAddress = "127.0.0.1:12345"

  @Option(help: ArgumentHelp("How user stacks are found: tables or frame-pointers.", valueName: "how"))
  var unwind = RecorderConfiguration.Unwind.tables

  @Option(
    help: ArgumentHelp(
      "The async-profiler library that JVMs may load, for those it measures better than they do; `dist` of a component wins.",
      valueName: "path"))
  var asyncProfiler: String?

  @OptionGroup var symbols: SymbolOptions
  @OptionGroup var messages: MessageOptions

  func validate() throws {
    guard (16...1 << 30).contains(spoolSize) else { throw ValidationError("--spool-size is 16 to 1073741824 MiB") }
  }

  func run() throws {
    let console = messages.console
    var options = AgentOptions()
    options.spool = spool ?? Self.defaultSpool
    options.spoolBytes = spoolSize << 20
    if let spoolAge { options.spoolAge = spoolAge.nanoseconds }
    if let drain { options.drainNanoseconds = drain.nanoseconds }
    options.listenAddress = listenAddress == "none" ? nil : listenAddress
    options.userAgent = "pyrorec/\(Pyrorec.version)"
    options.recorder.unwind = unwind
    options.recorder.unwindCachePath = RecordCommand.unwindCachePath
    options.recorder.recorderVersion = Pyrorec.version
    do throws(JavaError) {
      options.asyncProfiler = try asyncProfiler.map { path throws(JavaError) in try AgentLibrary(path: path) }
    } catch {
      console.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    do throws(AgentError) {
      try Agent(options, environment(console)).run()
    } catch {
      if case .configuration(let text) = error { StandardErrorHandler.write(text) } else { console.error("\(error)") }
      throw ExitCode(Self.status(of: error))
    }
  }

  private func environment(_ console: Console) -> AgentEnvironment {
    let news = DiscoveryNews()
    let (symbols, file, hub) = (symbols, file, DiscoveryHub(onChange: { _, _ in news.tell() }))
    var environment = AgentEnvironment(
      configuration: { () throws(AgentError) in
        let configuration = try Self.configuration(file, console)
        hub.keep(only: Set(configuration.components.map(\.id)))
        return configuration
      },
      discover: { component, arguments in Self.discover(component, arguments, hub) },
      symbolize: { symbols.stage(for: $0, workers: 1) },
      log: { message in
        switch message {
        case .detail(let text): console.detail(text)
        case .note(let text): console.note(text)
        case .warning(let text): console.warning(text)
        case .error(let text): console.error(text)
        }
      })
    environment.news = news
    return environment
  }

  private static func configuration(_ path: String, _ console: Console) throws(AgentError) -> Configuration {
    let file: SourceFile
    do throws(SystemCallError) { file = try SourceFile(at: path) } catch { throw .unreadable(error) }
    var warnings: [Diagnostic] = []
    do throws(Configuration.Problems) {
      let configuration = try Configuration(file, .live, warnings: &warnings)
      if !warnings.isEmpty { console.warning(DiagnosticText(file).render(warnings)) }
      return configuration
    } catch {
      let count = error.diagnostics.count
      throw .configuration(error.text + "pyrorec: error: \(path): \(count) error\(count == 1 ? "" : "s")\n")
    }
  }

  private static func discover(
    _ component: Configuration.Component, _ arguments: DecodedBlock, _ hub: DiscoveryHub
  ) -> Discovered? {
    guard component.kind.name == ComponentKind.discoveryProcess.name else {
      return hub.state(of: component, arguments).map {
        Discovered(targets: $0.targets, problem: $0.problem?.description, isFollowed: true)
      }
    }
    let found = ProcessDiscovery(arguments.processDiscovery).targets(in: LiveProcesses(), joining: arguments.targets("join"))
    let problem = found.refused > 0 ? "\(found.refused) processes could not be read; \(found.firstReason)" : nil
    return Discovered(targets: found.targets, problem: problem)
  }

  private static var defaultSpool: String {
    // systemd gives several, separated by colons, when a unit asks for several.
    if let directory = Environment.value("STATE_DIRECTORY")?.split(separator: ":").first { return String(directory) }
    if let directory = Environment.value("XDG_STATE_HOME") { return directory + "/pyrorec" }
    return (Environment.value("HOME") ?? "") + "/.local/state/pyrorec"
  }

  private static func status(of error: AgentError) -> Int32 {
    switch error {
    case .configuration, .endpoint: ExitStatus.misuse
    case .recorder(let cause): RecordCommand.status(of: cause)
    case .unreadable, .spool, .spoolInUse, .address: ExitStatus.failed
    }
  }
}
