import Base
import Configuration
import Dispatch
import Glibc
import Java
import Recorder
import Replayer
import Synchronization
import Targets
import TraceFormat
import Uploader

/// Records continuously and delivers what it recorded, until it is told to end.
///
/// One thread each records, makes profiles of finished windows, asks the sources of targets, and delivers to an endpoint;
/// this one waits for signals and looks after the others. What passes between them lies in the spool.
package final class Agent {
  private let options: AgentOptions
  private let environment: AgentEnvironment
  private let log: @Sendable (AgentMessage) -> Void
  private let clock = SystemClock()
  private let metrics = Metrics()
  private let discovered = DiscoveredTargets()
  private let discoveryClock = AgentClock()
  private let keeper: SpoolKeeper
  private let store: ImageStore
  private let windows = WindowQueue()
  private let javaOrders = JavaOrders(.listed([:]))
  private let shared: Shared
  private let spool: Spool
  private let deliveries: Deliveries
  private let working = DispatchGroup()
  private var plan: AgentPlan
  private var recording: RecordingThread?
  /// When a recording that ended by itself begins again.
  private var resumesAt: UInt64?
  private var failures = 0

  /// What several threads look at.
  private final class Shared: Sendable {
    let configuration: Mutex<Configuration>
    let isEnding = Mutex(false)
    let health = Mutex((isReady: false, problem: String?.none))
    /// Of all components that profile.
    let targets = Mutex(0)
    let java = Mutex(JavaPlan([]))
    let userNames: [UInt32: String]
    init(_ configuration: Configuration) {
      self.configuration = Mutex(configuration)
      let text = (try? contents(of: "/etc/passwd", limit: 4 << 20)) ?? []
      userNames = ProcessDiscovery.userNames(inPasswordFile: String(decoding: text, as: UTF8.self))
    }
  }

  /// Reads the configuration and takes the spool; nothing is recorded yet.
  package init(_ options: AgentOptions, _ environment: AgentEnvironment) throws(AgentError) {
    self.options = options
    self.environment = environment
    log = environment.log
    let configuration = try environment.configuration()
    plan = try AgentPlan(
      configuration, configuration.evaluate { _, _ in [] }, userAgent: options.userAgent, asyncProfiler: options.asyncProfiler)
    shared = Shared(configuration)
    shared.java.withLock { [plan] in $0 = plan.java }
    spool = try Spool(options.spool)
    do throws(SystemCallError) { store = try ImageStore(directory: spool.imageDirectory) } catch { throw .spool(error) }
    deliveries = Deliveries(spool, metrics, environment.log)
    keeper = SpoolKeeper(
      spool, windows, metrics, SpoolLimits(byteCount: options.spoolBytes, ageNanoseconds: options.spoolAge), environment.log)
    AgentMetrics.declare(metrics)
  }

  /// Runs until a signal ends it.
  package func run() throws(AgentError) {
    Heap.settle()
    let signals = SignalReader([SIGINT, SIGTERM, SIGHUP])
    let notifier = ServiceNotifier(
      // Safe: nothing in this process changes the environment.
      environment: { unsafe getenv($0).map { unsafe String(cString: $0) } }, process: getpid())
    let status = try options.listenAddress.map { address throws(AgentError) in
      try StatusServer(address) { [shared, metrics] in AgentStatus.answer($0, metrics, shared.health.withLock { $0 }) }
    }
    if let status { log(.note("metrics and health are on port \(status.port)")) }
    defer { status?.stop() }
    windows.add(spool.leftWindows())
    try deliveries.replace(with: plan.endpoints)
    for remark in plan.remarks { log(.warning(remark)) }
    startDiscovery()
    startStages()
    do throws(AgentError) {
      try loop(signals, notifier)
    } catch {
      finish(signals, notifier)
      throw error
    }
    finish(signals, notifier)
  }

  // MARK: The loop

  private func loop(_ signals: SignalReader, _ notifier: ServiceNotifier) throws(AgentError) {
    var hasSaidReady = false
    var lastWatch: UInt64 = 0
    var lastLook: UInt64 = 0
    while true {
      try lookAfterRecording()
      let now = clock.monotonicNanoseconds()
      if !hasSaidReady, isReady {
        hasSaidReady = true
        shared.health.withLock { $0.isReady = true }
        notifier.send("READY=1", "STATUS=recording")
        log(.note(!plan.recordsAnything ? "nothing is to be recorded" : "recording"))
      }
      if let interval = notifier.watchdogNanoseconds, now &- lastWatch >= interval / 3, isAlive(now) {
        notifier.send("WATCHDOG=1")
        lastWatch = now
      }
      if now &- lastLook >= 5_000_000_000 {
        lastLook = now
        keeper.enforceLimits()
      }
      switch signals.next(withinMilliseconds: hasSaidReady ? 500 : 50) {
      case SIGHUP: reload(notifier)
      case .some: return
      case nil: break
      }
    }
  }

  private var isReady: Bool {
    if !plan.recordsAnything || (plan.isLazy && recording == nil) { return true }
    if case .recording = recording?.current { return true }
    return false
  }

  /// A recording that shows nothing for long hangs.
  private func isAlive(_ now: UInt64) -> Bool {
    guard let recording, case .recording = recording.current else { return true }
    return now &- min(now, recording.lastBeat) < 60_000_000_000
  }

  private func lookAfterRecording() throws(AgentError) {
    let now = clock.monotonicNanoseconds()
    if let recording {
      switch recording.current {
      case .starting, .stopped: return
      case .recording:
        if failures > 0, now &- min(now, resumesAt ?? 0) > 60_000_000_000 { failures = 0 }
        shared.health.withLock { $0.problem = nil }
        return
      case .failed(let error):
        metrics.add("pyroscope_ebpf_profiling_sessions_failing_total")
        // What is not permitted now will not be later.
        if !shared.health.withLock({ $0.isReady }) || error.isPrivilege || error.isKernel { throw .recorder(error) }
        ended("\(error)", now)
      case .ended(let why): ended(why, now)
      }
      self.recording = nil
      return
    }
    guard plan.recordsAnything, resumesAt.map({ $0 <= now }) ?? true else { return }
    if plan.isLazy, shared.targets.withLock({ $0 == 0 }) { return }
    do throws(RecorderError) {
      recording = try RecordingThread(recorderConfiguration()) { SystemClock().monotonicNanoseconds() }
      metrics.add("pyroscope_ebpf_profiling_sessions_total")
    } catch { throw .recorder(error) }
  }

  private func ended(_ why: String, _ now: UInt64) {
    failures += 1
    let seconds = UInt64(min(60, 1 << min(failures, 6)))
    shared.health.withLock { $0.problem = why }
    log(.error("the recording ended: \(why); it begins again in \(seconds) s"))
    keeper.makeRoom()
    resumesAt = now &+ seconds &* 1_000_000_000
  }

  private func recorderConfiguration() -> RecorderConfiguration {
    var configuration = options.recorder
    if let frequency = plan.frequencyHertz { configuration.frequencyHertz = frequency }
    configuration.isJavaAlone = plan.frequencyHertz == nil
    configuration.java = plan.java.isWanted ? javaOrders : nil
    configuration.onJavaMessage = { [log] message in
      let text = message.process == 0 ? message.text : "JVM \(message.process): \(message.text)"
      log(message.isWarning ? .warning(text) : .note(text))
    }
    configuration.pythonEnabled = plan.wantsPython
    var recorded = RecordingWindows(nanoseconds: plan.windowNanoseconds, path: { [spool] in spool.windowPath($0) }) {
      [windows, metrics, log] window in
      metrics.add("pyrorec_windows_total")
      metrics.add("pyrorec_recorded_samples_total", Double(window.samples))
      metrics.add("pyrorec_lost_samples_total", Double(window.lostSamples))
      let name = window.path.split(separator: "/").last ?? ""
      log(.detail("window \(name): \(window.samples) samples, \(window.lostSamples) lost, \(window.byteCount) bytes"))
      if window.writeFailure != nil { metrics.add("pyrorec_broken_windows_total") }
      if let failure = window.writeFailure { log(.error("a window could not be written whole: \(failure)")) }
      windows.add([window.path])
    }
    recorded.makeRoom = { [keeper] in keeper.makeRoom(waiting: $0) }
    let discovery = RecordedDiscovery(discovered)
    recorded.facts = { discovery.begin(time: $0) }
    configuration.otherFacts = discovery
    configuration.windows = recorded
    configuration.imageStore = store
    return configuration
  }

  // MARK: Reload

  private func reload(_ notifier: ServiceNotifier) {
    notifier.send("RELOADING=1", "MONOTONIC_USEC=\(clock.monotonicNanoseconds() / 1000)")
    defer { notifier.send("READY=1") }
    do throws(AgentError) {
      let configuration = try environment.configuration()
      let new = try AgentPlan(
        configuration, configuration.evaluate { _, _ in [] }, userAgent: options.userAgent, asyncProfiler: options.asyncProfiler)
      try deliveries.replace(with: new.endpoints)
      let before = plan
      plan = new
      shared.configuration.withLock { $0 = configuration }
      shared.java.withLock { $0 = new.java }
      discovered.expire()
      discoveryClock.wake()
      for remark in new.remarks { log(.warning(remark)) }
      if before.frequencyHertz != new.frequencyHertz || before.java.isWanted != new.java.isWanted {
        recording?.stop()
        recording = nil
        resumesAt = nil
      } else if before.windowNanoseconds != new.windowNanoseconds {
        recording?.setWindow(nanoseconds: new.windowNanoseconds)
      }
      metrics.add("pyrorec_reloads_total", 1, ["success"])
      log(.note("the configuration was read again"))
    } catch {
      metrics.add("pyrorec_reloads_total", 1, ["failure"])
      log(.error("\(error)"))
      log(.error("the new configuration is not used; the one before stays"))
    }
  }

  // MARK: The other threads

  private func startDiscovery() {
    environment.news.listen { [discoveryClock] in discoveryClock.wake() }
    DispatchQueue(label: "pyrorec.discovery").async(group: working) {
      [discovered, discoveryClock, shared, environment, metrics, log, javaOrders] in
      var said: [String: String] = [:]
      while !shared.isEnding.withLock({ $0 }) {
        let configuration = shared.configuration.withLock { $0 }
        let now = discoveryClock.monotonicNanoseconds()
        let next = discovered.refresh(configuration, now: now, ask: environment.discover)
        let problems = discovered.problems
        for id in problems.keys.sorted() where problems[id] != said[id] { log(.warning("\(id): \(problems[id] ?? "")")) }
        said = problems
        let all = discovered.current
        let evaluation = configuration.evaluate { component, _ in all[component.id] ?? [] }
        let profiled = configuration.profiledTargets(of: evaluation)
        javaOrders.list(shared.java.withLock { $0 }.orders(profiled))
        let targets = profiled.reduce(0) { $0 + $1.index.targets.count }
        shared.targets.withLock { $0 = targets }
        metrics.set("pyroscope_ebpf_active_targets", Double(targets))
        let took = discoveryClock.monotonicNanoseconds() &- now
        let wait = next > discoveryClock.monotonicNanoseconds() ? next - discoveryClock.monotonicNanoseconds() : 0
        discoveryClock.waitForNews(nanoseconds: max(wait, 100_000_000))
        // A cluster has news all the time: a tenth of a thread is what they may cost.
        discoveryClock.sleep(nanoseconds: max(200_000_000, min(10_000_000_000, took &* 9)))
      }
    }
  }

  private func startStages() {
    let worker = StageWorker(
      spool: spool, windows: windows, keeper: keeper, metrics: metrics, environment: environment, deliveries: deliveries,
      configuration: { [shared] in shared.configuration.withLock { $0 } }, discovered: discovered,
      userNames: shared.userNames, store: store,
      isEnding: { [shared] in shared.isEnding.withLock { $0 } })
    DispatchQueue(label: "pyrorec.stages", qos: .background).async(group: working) { worker.run() }
  }

  // MARK: The end

  private func finish(_ signals: SignalReader, _ notifier: ServiceNotifier) {
    notifier.send("STOPPING=1")
    log(.note("ending: what was recorded is delivered first; a second signal ends at once"))
    shared.isEnding.withLock { $0 = true }
    discoveryClock.stop()
    let done = DispatchGroup()
    let (recording, windows, deliveries, working, options) = (self.recording, windows, deliveries, working, options)
    DispatchQueue(label: "pyrorec.end").async(group: done) {
      recording?.stop()
      windows.finish()
      // What has no profiles by then stays in the spool as it was recorded.
      _ = working.wait(timeout: .now() + .nanoseconds(Int(clamping: options.drainNanoseconds)))
      deliveries.drain(nanoseconds: options.drainNanoseconds)
    }
    while done.wait(timeout: .now()) == .timedOut {
      if signals.next(withinMilliseconds: 50).map({ $0 != SIGHUP }) ?? false { break }
    }
    let recorded = Int(metrics.value("pyrorec_recorded_samples_total"))
    let leftOut = Int(metrics.value("pyrorec_left_out_samples_total"))
    log(.note("\(recorded) samples were recorded, \(leftOut) of them of programs that nobody wants"))
    let left = spool.batchNames().count + spool.leftWindows().count
    if left > 0 { log(.note("\(left) windows are not delivered; they stay in \(spool.path) for the next run")) }
  }
}
