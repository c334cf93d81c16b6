import ArgumentParser
import Base
import Discovery
import Glibc
import Java
import Recorder
import TraceFormat

struct RecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Sample the whole system, some processes or a command, into a trace.",
    discussion: """
      Examples:
        pyrorec record -d 60s                     the whole system for a minute, into trace.seg
        pyrorec record -p 1234 -F 499             one process and its children until Ctrl-C
        pyrorec record -o build.seg -- make -j2   a command from its first instruction to its end
        pyrorec record --config config.alloy      and what its Docker and Kubernetes sources say meanwhile, for `label`
      """)

  @Option(
    name: [.short, .long], parsing: .unconditional,
    help: "How long, such as 60s, 1m30s or 500ms. Without it until Ctrl-C or the command's end.")
  var duration: DurationArgument?

  @Option(name: [.customShort("F"), .long], parsing: .unconditional, help: "Samples a second on each CPU.")
  var frequency = 97

  @Option(name: [.short, .long], help: "The trace to write; an existing one is kept as FILE.old.")
  var output = "trace.seg"

  @Option(name: [.short, .customLong("pid")], help: "Only this process and its children. May be given again.")
  var pid: [UInt32] = []

  @Option(help: ArgumentHelp("Only this cgroup v2 directory. May be given again.", valueName: "path"))
  var cgroup: [String] = []

  @Option(help: ArgumentHelp("Only the container whose id begins like this. May be given again.", valueName: "id"))
  var container: [String] = []

  @Option(help: ArgumentHelp("What to copy of the files that samples hit: symbols, full or none.", valueName: "what"))
  var images = RecorderConfiguration.Images.symbols

  @Option(
    help: ArgumentHelp(
      "How user stacks are found: tables (of every file, also without frame pointers) or frame-pointers.", valueName: "how"))
  var unwind = RecorderConfiguration.Unwind.tables

  @Option(
    help: ArgumentHelp(
      "Which samples' registers and stacks to keep for unwinding offline: waiting (those that came before their tables), all or none.",
      valueName: "which"))
  var stackCopies = RecorderConfiguration.StackCopies.waiting

  @Option(
    help: ArgumentHelp(
      "Ask the Docker and Kubernetes sources of this Alloy configuration, and record what they say.", valueName: "file"))
  var config: String?

  @Flag(name: .customLong("no-python"), help: "Do not look for the frames of Python programs.")
  var withoutPython = false

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Have these JVMs record themselves too, or every JVM when none is named; see `pyrorec java doctor`.", valueName: "pid"))
  var java: [JavaPID] = []

  @Option(
    help: ArgumentHelp(
      "How often a JVM finishes a piece of its recording (20s): what is lost at most with a killed recorder.", valueName: "time"))
  var javaInterval: DurationArgument?

  @Option(
    help: ArgumentHelp(
      """
      What JVMs record, each with how often or from when on: cpu=10ms, alloc=512k, lock=10ms when none is given; wall=50ms, live, \
      nativemem=512k, nativelock=10ms, itimer, ctimer, a counter or a method take --async-profiler. May be given again.
      """, valueName: "event[=value]"))
  var javaEvent: [JavaEventArgument] = []

  @Option(
    help: ArgumentHelp("The async-profiler library that JVMs may load, for those it measures better than they do.", valueName: "path"))
  var asyncProfiler: String?

  @Flag(help: "Exit with status 2 when samples were lost.")
  var strict = false

  @Option(help: .hidden)
  var tape: String?

  @OptionGroup var messages: MessageOptions

  @Argument(parsing: .postTerminator, help: "A command to run and record, after --.")
  var command: [String] = []

  func validate() throws {
    guard frequency > 0 else { throw ValidationError("-F \(frequency): must be at least 1") }
    do throws(AsprofArguments.Problem) { _ = try javaRequest } catch { throw ValidationError("--java-event: \(error)") }
    if !javaEvent.isEmpty, java.isEmpty { throw ValidationError("--java-event says what --java records: give that too") }
  }

  func run() throws {
    let console = messages.console
    var configuration = RecorderConfiguration()
    configuration.output = output
    configuration.frequencyHertz = frequency
    configuration.durationNanoseconds = duration?.nanoseconds
    configuration.processes = pid.map { ProcessID($0) }
    configuration.cgroups = cgroup
    configuration.containers = container
    configuration.command = command
    configuration.images = images
    configuration.unwind = unwind
    configuration.stackCopies = stackCopies
    configuration.pythonEnabled = !withoutPython
    configuration.unwindCachePath = Self.unwindCachePath
    configuration.recorderVersion = Pyrorec.version
    configuration.tapePath = tape
    let targets = try config.map { try console.recordedTargets($0) }
    configuration.otherFacts = targets
    do {
      let agent = try asyncProfiler.map { path throws(JavaError) in try AgentLibrary(path: path) }
      configuration.java = javaOrders(try javaRequest, agent)
    } catch let error as JavaError {
      console.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    let recorder = Recorder(configuration)
    let scope = configuration.isSystemWide ? "the whole system" : command.first ?? "the selected processes"
    recorder.onReady = {
      console.progress("recording \(scope) at \(frequency) Hz" + (duration == nil && command.isEmpty ? ", Ctrl-C ends it" : ""))
    }
    recorder.onProgress = { seconds, samples, lost in
      console.progress("\(Int(seconds)) s, \(samples) samples" + (lost > 0 ? ", \(lost) lost" : ""))
    }
    let report: RecordingReport
    do throws(RecorderError) {
      report = try recorder.run()
    } catch {
      console.endProgress()
      console.error("\(error)")
      throw ExitCode(Self.status(of: error))
    }
    console.endProgress()
    if let failure = report.writeFailure {
      console.error("recording stopped: \(failure). What was recorded until then is kept in \(report.path)")
    }
    if let reason = report.unwindFallback {
      console.warning("stacks were found by frame pointers, not by unwind tables: \(reason)")
    }
    for refusal in report.interpreterRefusals {
      console.warning("frames of an interpreter were not looked for: \(refusal)")
    }
    if let reason = report.javaOnly {
      console.warning("only JVMs were recorded, by their own means, because \(reason)")
    }
    for message in report.javaMessages {
      let text = message.process == 0 ? message.text : "JVM \(message.process): \(message.text)"
      if message.isWarning { console.warning(text) } else { console.note(text) }
    }
    if let signal = report.commandSignal {
      console.note("\(command[0]) was ended by signal \(signal)")
    } else if let status = report.commandStatus {
      console.note("\(command[0]) exited with status \(status)")
    }
    let seconds = Double(report.durationNanoseconds / 1_000_000) / 1000
    if report.javaOnly != nil, report.javaProcesses == 0, report.writeFailure == nil {
      console.error("\(report.path): no JVM was recorded; `pyrorec java doctor` says why")
      throw ExitCode(ExitStatus.failed)
    }
    console.note(
      "\(report.path): \(report.samples) samples of \(report.processes) programs in \(seconds) s, \(report.byteCount / 1024) KiB"
        + (report.lostSamples > 0 ? "; \(report.lostSamples) samples were lost" : ""))
    if let left = targets?.leftOut, left > 0 {
      let limit = RecordedTargets.maximumBytes >> 20
      console.warning("\(left) targets are not in the trace: those before them take \(limit) MiB. Use selectors or filters")
    }
    if report.writeFailure != nil { throw ExitCode(ExitStatus.failed) }
    if strict, report.lostSamples > 0 { throw ExitCode(ExitStatus.losses) }
  }

  private var javaRequest: JavaRequest {
    get throws(AsprofArguments.Problem) {
      var request = javaEvent.isEmpty ? JavaRequest() : try AsprofArguments.request(javaEvent.flatMap(\.arguments))
      if let javaInterval { request.rotationSeconds = Int(max(1, min(javaInterval.nanoseconds / 1_000_000_000, 3600))) }
      return request
    }
  }

  private func javaOrders(_ request: JavaRequest, _ agent: AgentLibrary?) -> JavaOrders? {
    if java.isEmpty { return nil }
    let order = JavaOrder(request, agent: agent)
    return JavaOrders(java.contains(.all) ? .every(order) : .named(java.compactMap(\.process), order))
  }

  /// Recordings are made by root nearly always; without a cache directory every recording builds its tables anew.
  static var unwindCachePath: String? { geteuid() == 0 ? "/var/cache/pyrorec" : nil }

  static func status(of error: RecorderError) -> Int32 {
    if error.isPrivilege { return ExitStatus.privilegeMissing }
    if error.isKernel { return ExitStatus.unavailable }
    return ExitStatus.failed
  }
}

extension RecorderConfiguration.Images: ExpressibleByArgument {}
extension RecorderConfiguration.Unwind: ExpressibleByArgument {}
extension RecorderConfiguration.StackCopies: ExpressibleByArgument {}
