import Base
import Glibc

/// Looks at a process and says whether it can be profiled as a JVM, what stands in the way and what to do about it.
///
/// Nothing is sent to a process before all that can be known without it is known to allow it.
package struct JavaDoctor {
  package private(set) var checks: [JavaCheck] = []
  package private(set) var engine = JavaEngine.native
  package private(set) var reason = ""
  package let target: JavaTarget

  /// - Parameter asyncProfiler: the agent's library, where there is one.
  package init(_ target: JavaTarget, asyncProfiler: AgentLibrary? = nil) {
    self.target = target
    let isHotSpot = checkKind()
    guard isHotSpot else {
      reason = "it is no HotSpot JVM"
      return
    }
    checkVersion()
    let isAllowed = [checkUser(), checkAttach(), checkListener()].allSatisfy { $0 }
    checkFolder()
    checkSpace()
    checkFlags()
    guard isAllowed else {
      reason = "it cannot be attached to"
      return
    }
    let hasRecorder = askRecorder()
    chooseEngine(hasRecorder: hasRecorder, asyncProfiler)
  }

  package var isGood: Bool { engine != .native }

  private mutating func add(_ name: String, _ outcome: JavaCheck.Outcome, _ finding: String, remedy: String = "") {
    checks.append(JavaCheck(name, outcome, finding, remedy: remedy))
  }

  private mutating func checkKind() -> Bool {
    switch target.kind {
    case .hotSpot(let library): add("jvm", .good, library.isEmpty ? "HotSpot, by its performance data" : "HotSpot, \(library)")
    case .openJ9:
      add("jvm", .bad, "OpenJ9, which has another attach protocol", remedy: "record it from outside: pyrorec record -p \(target.process)")
    case .other: add("jvm", .bad, "no JVM: it maps no libjvm.so", remedy: "record it from outside: pyrorec record -p \(target.process)")
    }
    if case .hotSpot = target.kind { return true }
    return false
  }

  private mutating func checkVersion() {
    guard let data = target.performance else {
      add(
        "version", .limited, "not published (-XX:-UsePerfData, or its file is not readable); the JVM is asked",
        remedy: "start it without -XX:-UsePerfData and -XX:+PerfDisableSharedMem to be recognised without a command")
      return
    }
    add("version", .good, "\(data.version), \(data.virtualMachine), \(data.vendor); runs \(data.command)")
  }

  private mutating func checkUser() -> Bool {
    let isOwn = geteuid() == target.user && getegid() == target.group
    if geteuid() == 0 || isOwn {
      add("user", .good, "it is user \(target.user) of group \(target.group), we are user \(geteuid())")
      return true
    }
    add(
      "user", .bad, "it is user \(target.user) of group \(target.group), we are user \(geteuid()) of group \(getegid())",
      remedy: "run as that user, or as root")
    return false
  }

  private mutating func checkAttach() -> Bool {
    if target.allowsAttach {
      add("attach", .good, "allowed")
      return true
    }
    add(
      "attach", .bad, "disabled by -XX:+DisableAttachMechanism",
      remedy: "start it without, or record it from outside: pyrorec record -p \(target.process)")
    return false
  }

  private mutating func checkListener() -> Bool {
    do throws(JavaError) {
      if try AttachClient(target).isListening() {
        add("listener", .good, "listens on /tmp/.java_pid\(target.namespaceProcess)")
        return true
      }
    } catch {
      add("listener", .bad, "\(error)", remedy: "see who made /tmp/.java_pid\(target.namespaceProcess) in its file system")
      return false
    }
    if target.catchesQuit {
      add("listener", .good, "sleeps; SIGQUIT wakes it")
      return true
    }
    add(
      "listener", .bad, "does not listen, and does not catch SIGQUIT (-Xrs, or it has only just begun)",
      remedy: "wait until it has started; one with -Xrs whose socket was removed has to be started again")
    return false
  }

  private mutating func checkFolder() {
    let mount = TargetMounts(process: target.process).mount(of: "/tmp")
    guard let mount else {
      add("/tmp", .limited, "its mounts cannot be read")
      return
    }
    if mount.isReadOnly {
      add(
        "/tmp", .bad, "read-only: the JVM cannot make its socket there", remedy: "mount something writable on its /tmp, such as an emptyDir"
      )
    } else if mount.forbidsExecution {
      add(
        "/tmp", .limited, "noexec: an agent's library cannot be loaded from it",
        remedy: "nothing for Flight Recorder; for async-profiler another directory")
    } else {
      add("/tmp", .good, "writable")
    }
  }

  private mutating func checkSpace() {
    let folder = target.temporaryFolder
    do throws(JavaError) {
      try TargetSpace.check(target, at: folder, bytes: TargetSpace.bytesToBegin)
      add("space", .good, "enough in \(folder)")
    } catch {
      add(
        "space", .bad, "less than \(TargetSpace.bytesToBegin >> 20) MiB in \(folder): a JVM whose recording fills the disk shuts down",
        remedy: "make room, or start it with -XX:FlightRecorderOptions=repository=DIRECTORY")
    }
  }

  private mutating func checkFlags() {
    if !target.allowsAgents {
      add(
        "agents", .limited, "disabled by -XX:-EnableDynamicAgentLoading: async-profiler cannot be loaded",
        remedy: "nothing for Flight Recorder; for async-profiler start it without")
    } else {
      add("agents", .good, "may be loaded")
    }
    let flags = (target.performance?.arguments ?? "") + " " + target.arguments.joined(separator: " ")
    if !flags.contains("-XX:+DebugNonSafepoints") {
      add(
        "lines", .limited, "-XX:+DebugNonSafepoints is not set: lines and inlined frames of compiled code lie at the nearest safepoint",
        remedy: "start it with -XX:+UnlockDiagnosticVMOptions -XX:+DebugNonSafepoints")
    }
  }

  /// The first thing that is sent to the JVM: a question that changes nothing.
  private mutating func askRecorder() -> Bool {
    let feature = target.performance?.feature ?? 0
    do throws(JavaError) {
      _ = try FlightRecorder(AttachClient(target), feature: feature).recordings()
      add("flight recorder", .good, "answers")
      return true
    } catch {
      add("flight recorder", .bad, "\(error)", remedy: "use a runtime with the module jdk.jfr, or give --async-profiler")
      return false
    }
  }

  private mutating func chooseEngine(hasRecorder: Bool, _ agent: AgentLibrary?) {
    let feature = target.performance?.feature
    if let agent {
      let problem = agent.problem(forJDK: feature)
      add("async-profiler", problem == nil ? .good : .limited, problem ?? "\(agent.path), version \(agent.versionText)")
    }
    let choice = EngineChoice(
      feature: feature, hasFlightRecorder: hasRecorder, agent: agent, allowsAgents: target.allowsAgents, JavaRequest())
    engine = choice.engine
    reason = choice.reason
  }
}
