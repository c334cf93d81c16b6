import Base
import CLibBPF
import CRecorderABI
import Dispatch
import Glibc
import Java
import TraceFormat

/// One recording, from opening the file to closing it.
///
/// One thread does everything that must not wait: it looks at what processes do when they do it, reads the samples and
/// writes a frame about once a second. Copying images and looking up kernel symbols happen beside it.
package final class Recorder {
  /// How long samples stay in the ring buffer unless a part of it is full: what it holds dies with a killed recorder. Many
  /// at a time find the tables in the CPU's caches, from where the profiled programs drive them between two times.
  private static let drainInterval: UInt64 = 800_000_000
  /// While threads and files that nobody has told of are seen for the first time, they are looked at sooner: by the first
  /// frame their names and copies are there.
  private static let firstDrainInterval: UInt64 = 200_000_000
  /// How soon a program whose arguments were not set up is asked again, and after twice that again, and so on: most have
  /// them at once, some never.
  private static let soon: UInt64 = 1_000_000
  private static let latest: UInt64 = 32_000_000
  /// Beginnings of programs wake the loop, which first waits this long for what follows them: a program maps a dozen
  /// files in a few milliseconds, and each waking costs more than what it brings.
  private static let wakeupPause: UInt64 = 5_000_000

  private let configuration: RecorderConfiguration
  private let files = LiveProcessFileSystem()

  package init(_ configuration: RecorderConfiguration) { self.configuration = configuration }

  /// Told while recording, about once a second: seconds so far, samples, lost samples.
  package var onProgress: ((_ seconds: Double, _ samples: UInt64, _ lost: UInt64) -> Void)?
  /// Told once samples are being taken.
  package var onReady: (() -> Void)?

  /// Records until the duration is over, the command or the processes ended, or a signal asks for the end.
  package func run() throws(RecorderError) -> RecordingReport {
    let host = HostIdentity.current()
    if configuration.isJavaAlone, let orders = configuration.java { return try recordJVMs(orders, host, because: nil) }
    do throws(RecorderError) { try KernelAbilities.check(files: files, release: host.kernelRelease) } catch {
      // JVMs can be asked to record themselves without any of it; what else was asked for cannot be had.
      guard let orders = configuration.java, configuration.isSystemWide, error.isPrivilege || error.isKernel else { throw error }
      return try recordJVMs(orders, host, because: "\(error)")
    }
    let limit = KernelAbilities.maximumSampleRate()
    guard configuration.frequencyHertz <= limit else {
      throw .frequencyTooHigh(asked: configuration.frequencyHertz, limit: limit)
    }
    let ownPriority = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    // What is to be recorded goes on meanwhile, and on a busy machine most of the time would be its.
    Self.setPriority(Self.hurried)
    Self.raiseDescriptorLimit()
    var selection = try TargetSelection(configuration, files: files)
    defer { selection.close() }
    // Signals become readable bytes; blocked before any other thread begins, so that none of them takes one.
    let signals = configuration.control == nil ? try SignalDescriptor([SIGINT, SIGTERM, SIGHUP]) : nil

    let cpus = KernelAbilities.onlineCPUs()
    var settings = Sampler.Settings(frequencyHertz: configuration.frequencyHertz)
    settings.filtersProcesses = !selection.processes.isEmpty || !configuration.command.isEmpty
    settings.cgroupDescriptors = selection.cgroupDescriptors
    var fallback: String?
    settings.copiesStacks = configuration.stackCopies == .all
    if configuration.unwind == .tables {
      fallback = KernelAbilities.missingForTables()
      if fallback == nil { settings.unwindTableBytes = configuration.unwindTableBytes }
    }
    let sampler = try Sampler(settings, cpuCount: cpus.count)
    let unwinding = try Unwinding(sampler, files: files, cachePath: configuration.unwindCachePath)
    // Before sampling begins, so that no process starts unseen.
    let sideband = try SidebandRings(cpus: cpus, tellsLivesAtOnce: unwinding != nil)
    let abilities = abilities(unwinder: unwinding == nil ? .framePointers : .tables, fallback: fallback)
    let (configuration, cpuCount) = (configuration, UInt32(cpus.count))
    let makeSegment = { (anchor: ClockAnchor) throws(TraceError) in
      let header = SegmentHeader(
        traceID: Self.randomBytes(16), anchor: anchor, machine: host.machine, kernelRelease: host.kernelRelease,
        kernelVersion: host.kernelVersion, hostName: host.hostName, cpuCount: cpuCount,
        recorderVersion: configuration.recorderVersion, abilities: abilities)
      // A segment of many is read soon and then gone.
      return try SegmentWriter(
        path: configuration.windows?.path(anchor.unix.nanoseconds) ?? configuration.output, header: header,
        compressesImagesWell: configuration.images == .symbols && configuration.windows == nil,
        patience: configuration.windows == nil ? 0 : RecordingWindows.patience)
    }
    let writer: SegmentWriter
    do throws(TraceError) { writer = try makeSegment(Clock.anchor()) } catch { throw .trace(error) }

    var command: CommandProcess?
    if !configuration.command.isEmpty {
      Self.setPriority(ownPriority)
      defer { Self.setPriority(Self.hurried) }
      do throws(RecorderError) {
        command = try CommandProcess(configuration.command)
      } catch {
        writer.discard()
        throw error
      }
    }
    var tape: TapeWriter?
    if let path = configuration.tapePath {
      do throws(SystemCallError) { tape = try TapeWriter(path: path) } catch { throw .systemCall(error) }
    }
    let session = Session(
      configuration: configuration, files: files, sampler: sampler, sideband: sideband, writer: writer, signals: signals,
      tape: tape, unwinding: unwinding, makeSegment: makeSegment)
    session.report.unwindFallback = fallback
    session.onProgress = onProgress
    do throws(RecorderError) {
      return try session.run(command: command, targets: selection.processes, cpus: cpus, onReady: onReady)
    } catch {
      // Nothing was sampled yet: an empty file would only stand in the way of the one before.
      if !session.hasStarted { writer.discard() }
      throw error
    }
  }

  private func recordJVMs(_ orders: JavaOrders, _ host: HostIdentity, because reason: String?) throws(RecorderError) -> RecordingReport {
    let configuration = configuration
    let alone = try JavaOnlyRecording(configuration, orders, files: files) { anchor throws(TraceError) in
      let header = SegmentHeader(
        traceID: Self.randomBytes(16), anchor: anchor, machine: host.machine, kernelRelease: host.kernelRelease,
        kernelVersion: host.kernelVersion, hostName: host.hostName, cpuCount: UInt32(KernelAbilities.onlineCPUs().count),
        recorderVersion: configuration.recorderVersion,
        abilities: [SegmentHeader.Ability(name: "clock", value: "monotonic"), SegmentHeader.Ability(name: "scope", value: "jvms")])
      return try SegmentWriter(
        path: configuration.windows?.path(anchor.unix.nanoseconds) ?? configuration.output, header: header,
        patience: configuration.windows == nil ? 0 : RecordingWindows.patience)
    }
    if let reason {
      configuration.onJavaMessage?(
        JavaRecorder.Message(process: 0, text: "only JVMs are recorded, by their own means, because \(reason)", isWarning: true))
    }
    var report = alone.run(onReady: onReady, onProgress: onProgress)
    report.javaOnly = reason
    return report
  }

  /// What the header says of the recorder's means, sorted by name.
  private func abilities(unwinder: RecorderConfiguration.Unwind, fallback: String?) -> [SegmentHeader.Ability] {
    let fallbacks = fallback.map { [SegmentHeader.Ability(name: "unwinder_fallback", value: $0)] } ?? []
    return [
      SegmentHeader.Ability(name: "clock", value: "monotonic"),
      SegmentHeader.Ability(name: "frequency_hz", value: String(configuration.frequencyHertz)),
      SegmentHeader.Ability(name: "images", value: configuration.images.rawValue),
      SegmentHeader.Ability(name: "scope", value: configuration.isSystemWide ? "system" : "selected"),
      SegmentHeader.Ability(name: "unwinder", value: unwinder.rawValue),
    ] + fallbacks
  }

  /// Every mapped file may be held open; what the hard limit allows is ours to use.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// A short-lived process can be asked only while it lives: on a busy machine the loop must get its turn in time. It uses
  /// little of it. Only this thread; the command keeps its own.
  private static let hurried: Int32 = -10
  private static func setPriority(_ value: Int32) { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, value) }

  private static func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  // MARK: -

  private final class Session {
    private let configuration: RecorderConfiguration
    private let sampler: Sampler
    private let sideband: SidebandRings
    private var writer: SegmentWriter
    /// `nil` when somebody else takes them.
    private let signals: SignalDescriptor?
    private let tape: TapeWriter?
    private var copier: ImageCopier
    private let core: RecordingCore
    private let files: any ProcessFileSystem
    private let makeSegment: (ClockAnchor) throws(TraceError) -> SegmentWriter
    /// What there was before the segment that is being written, and when that began.
    private var totalsBefore = RecordingCore.Totals()
    private var segmentStart: UInt64 = 0
    /// Samples of the segment that is being written which the disk had no room for.
    private var unwrittenSamples: UInt64 = 0
    /// When the next segment is tried again that there was no room for.
    private var nextSegmentTry: UInt64 = 0
    private let closing = DispatchQueue(label: "pyrorec.segments", qos: .utility)
    private let unwinding: Unwinding?
    private let java: JavaChunkWriter?
    var report = RecordingReport()
    /// Emptied and filled again: its memory is taken once.
    private var batch = KernelBatch(time: 0)
    private var failure: TraceError?
    private(set) var hasStarted = false
    var onProgress: ((Double, UInt64, UInt64) -> Void)?

    init(
      configuration: RecorderConfiguration, files: any ProcessFileSystem, sampler: Sampler, sideband: SidebandRings,
      writer: SegmentWriter, signals: SignalDescriptor?, tape: TapeWriter?, unwinding: Unwinding?,
      makeSegment: @escaping (ClockAnchor) throws(TraceError) -> SegmentWriter
    ) {
      self.files = files
      self.makeSegment = makeSegment
      self.unwinding = unwinding
      self.tape = tape
      self.configuration = configuration
      self.sampler = sampler
      self.sideband = sideband
      self.writer = writer
      self.signals = signals
      copier = ImageCopier(
        sink: writer, mode: configuration.images, files: files, kernelNames: sampler.kernelNames,
        store: configuration.imageStore)
      let answering: any ProcessFileSystem = tape.map { tape in TapingProcessFileSystem(files) { tape.write($0) } } ?? files
      let core = RecordingCore(
        files: answering, opener: LiveImageOpener(), sink: writer, copier: copier, unwinder: unwinding?.unwinder,
        interpreters: unwinding != nil && configuration.pythonEnabled ? InterpreterWatch(processes: sampler.interpreterMap) : nil,
        keepsStackCopies: configuration.stackCopies != .none)
      core.hasManySegments = configuration.windows != nil
      self.core = core
      java = configuration.java.map { JavaChunkWriter($0, core: core, sink: writer, onMessage: configuration.onJavaMessage) }
    }

    func run(
      command: CommandProcess?, targets: [UInt32], cpus: [Int32], onReady: (() -> Void)?
    ) throws(RecorderError) -> RecordingReport {
      let waiter = try EventWaiter()
      try waiter.add(sampler.descriptor, .samples)
      for descriptor in sideband.descriptors { try waiter.add(descriptor, .sideband) }
      if let signals { try waiter.add(signals.descriptor, .signal) }
      if let control = configuration.control { try waiter.add(control.descriptor, .control) }
      if let unwinding { try waiter.add(unwinding.workshop.descriptor, .tables) }
      var lives: [OwnedLife] = []
      for pid in targets {
        try sampler.setTarget(pid, PYROREC_TARGET_ACTIVE)
        lives.append(OwnedLife(pid: pid))
        if let descriptor = lives.last?.descriptor, descriptor >= 0 { try waiter.add(descriptor, .process) }
      }
      var commandPID: UInt32?
      if let process = command {
        commandPID = UInt32(process.pid)
        try sampler.setTarget(UInt32(process.pid), PYROREC_TARGET_AWAITS_EXEC)
        lives.append(OwnedLife(pid: UInt32(process.pid)))
        if let descriptor = lives.last?.descriptor, descriptor >= 0 { try waiter.add(descriptor, .process) }
      }
      if commandPID != nil || !targets.isEmpty { core.onProcessGone = { [sampler] pid in sampler.removeTarget(pid) } }

      let limitedTo =
        configuration.isSystemWide || !configuration.cgroups.isEmpty || !configuration.containers.isEmpty
        ? nil : Set(targets + (commandPID.map { [$0] } ?? []))
      batch.time = Clock.monotonic()
      try sampler.start(cpus: cpus, frequencyHertz: configuration.frequencyHertz)
      hasStarted = true
      let start = Clock.monotonic()
      onReady?()
      segmentStart = start
      attempt { () throws(TraceError) in
        try beginSegment()
        if !configuration.command.isEmpty {
          try writer.append(
            .sessionFact(SessionFactRecord(name: "command", value: configuration.command.joined(separator: " "))))
        }
        try writer.flush()
      }
      let scanTime = Clock.monotonic()
      tape?.write(.scan(time: scanTime, only: limitedTo.map { $0.sorted() }))
      core.scan(only: limitedTo, time: scanTime)
      if let process = command {
        do throws(RecorderError) {
          try process.release()
        } catch {
          hasStarted = false
          throw error
        }
      }
      copier.prepareKernel()
      java?.start()

      let deadline = configuration.durationNanoseconds.map { start &+ $0 }
      var lastDrain = start
      var lastFlush = start
      var lastProgress = start
      var patience = Recorder.soon
      var end: RecordingReport.End?
      while end == nil {
        let now = Clock.monotonic()
        if let deadline, now >= deadline {
          end = .duration
          break
        }
        let interval = now &- start < Recorder.drainInterval ? Recorder.firstDrainInterval : Recorder.drainInterval
        let nextDrain = lastDrain &+ interval
        if let windowEnd, now >= windowEnd, !core.hasWaitingStacks || now &- windowEnd >= Self.tablesPatience { beginNextWindow() }
        let rest = min(Self.untilNext(deadline, now), Self.untilNext(nextDrain, now), Self.untilNext(self.windowEnd, now))
        let asksAgain = core.wantsAnotherLookSoon
        let woken = waiter.wait(nanoseconds: asksAgain ? min(rest, patience) : rest)
        patience = asksAgain && woken.isEmpty ? min(patience * 2, Recorder.latest) : Recorder.soon
        if woken.contains(.tables) { attempt { () throws(TraceError) in try core.takeTables() } }
        if woken.contains(.sideband) { Self.pause(Recorder.wakeupPause) }
        let isDrainDue = Clock.monotonic() >= nextDrain
        // Tables and mappings wait for nothing: until the sampler has them, every sample carries its stack.
        let isForTables = unwinding != nil && woken.contains(.sideband)
        if isDrainDue || isForTables || core.wantsSamples || !woken.isDisjoint(with: [.samples, .signal, .process, .control]) {
          drain(countsLosses: isDrainDue)
        } else {
          look()
        }
        if woken.contains(.signal), isInterrupted { end = .interrupted }
        if woken.contains(.control), let control = configuration.control {
          control.acknowledge()
          if control.isStopping { end = .interrupted }
        }
        if woken.contains(.process) {
          if let process = command, let ending = process.poll() {
            note(ending)
            end = end ?? .commandEnded
          }
          // Given processes: the recording ends with the last of them.
          if commandPID == nil, lives.allSatisfy(\.hasEnded) { end = end ?? .processesEnded }
          for life in lives where life.hasEnded && !life.isForgotten {
            waiter.remove(life.descriptor)
            life.isForgotten = true
          }
        }
        let after = Clock.monotonic()
        if isDrainDue {
          lastDrain = after
          if after &- lastFlush >= Recorder.drainInterval {
            attempt { () throws(TraceError) in try java?.take(time: after) }
            flush()
            lastFlush = after
          }
        }
        if after &- lastProgress >= 1_000_000_000 {
          onProgress?(Double(after &- start) / 1e9, core.totals.samples, core.totals.lostSamples)
          lastProgress = after
        }
        if let problem = failure ?? copier.writeFailure {
          // A copy that did not fit was taken back: there is room for the samples that wait.
          flush()
          failure = failure ?? problem
          end = .diskFull
        }
      }
      sampler.stop()
      let stop = Clock.monotonic()
      drain(countsLosses: true)
      // What came too late for the look before, and the rest of the events.
      drain(countsLosses: true)
      finishStacks()
      attempt { () throws(TraceError) in try java?.finish(time: stop) }
      report.javaMessages = java?.messages ?? []
      report.javaProcesses = java?.processCount ?? 0
      flush()
      finish(command: command, start: start, stop: stop, end: end ?? .duration)
      return report
    }

    private var isInterrupted: Bool { signals?.take() ?? false }

    // MARK: Segments

    /// What every segment begins with.
    private func beginSegment() throws(TraceError) {
      try writer.append(.event(eventRecord()))
      try writer.append(.sessionFact(SessionFactRecord(name: "start.time", value: String(segmentStart))))
      for fact in configuration.windows?.facts(segmentStart) ?? [] { try writer.append(fact) }
    }

    private var windowEnd: UInt64? {
      guard let windows = configuration.windows else { return nil }
      return max(segmentStart &+ (configuration.control?.windowNanoseconds ?? windows.nanoseconds), nextSegmentTry)
    }

    /// This window goes on until there is room for the next.
    private func postponeNextWindow() {
      configuration.windows?.makeRoom(writer.unwritten.byteCount)
      nextSegmentTry = Clock.monotonic() &+ 1_000_000_000
    }

    /// Goes on in the next segment; the one before is finished beside the recording.
    private func beginNextWindow() {
      guard failure == nil else { return }
      drain(countsLosses: true)
      attempt { () throws(TraceError) in
        try core.giveUpWaiting()
        try java?.take(time: Clock.monotonic())
      }
      flush()
      if writer.unwritten.byteCount > 0 { return postponeNextWindow() }
      let anchor = Clock.anchor()
      let next: SegmentWriter
      do throws(TraceError) { next = try makeSegment(anchor) } catch {
        if error.isFullDisk { return postponeNextWindow() }
        return failure = failure ?? error
      }
      let window = closedWindow(stop: anchor.monotonic.nanoseconds)
      let (writer, copier, problem) = (writer, copier, failure)
      failure = nil
      closing.async { [configuration] in
        copier.finish { false }
        Self.close(window, writer, stop: anchor.monotonic.nanoseconds, problem ?? copier.writeFailure, configuration.windows)
      }
      totalsBefore = core.totals
      unwrittenSamples = 0
      segmentStart = anchor.monotonic.nanoseconds
      self.writer = next
      self.copier = ImageCopier(
        sink: next, mode: configuration.images, files: files, kernelNames: sampler.kernelNames,
        store: configuration.imageStore)
      core.begin(sink: next, copier: self.copier)
      java?.begin(sink: next)
      attempt { () throws(TraceError) in
        try beginSegment()
        try self.writer.flush()
      }
      self.copier.prepareKernel()
    }

    private func closedWindow(stop: UInt64) -> ClosedWindow {
      let samples = core.totals.samples &- totalsBefore.samples
      let unwritten = min(samples, unwrittenSamples)
      return ClosedWindow(
        path: writer.path, samples: samples - unwritten,
        lostSamples: core.totals.lostSamples &- totalsBefore.lostSamples &+ unwritten, byteCount: 0,
        durationNanoseconds: stop &- segmentStart, writeFailure: nil)
    }

    private static func close(
      _ window: ClosedWindow, _ writer: SegmentWriter, stop: UInt64, _ problem: TraceError?, _ windows: RecordingWindows?
    ) {
      var window = window
      window.writeFailure = problem.map { "\($0)" }
      do throws(TraceError) {
        if problem == nil {
          try writer.append(.sessionFact(SessionFactRecord(name: "end.reason", value: "window")))
          try writer.append(.sessionFact(SessionFactRecord(name: "end.time", value: String(stop))))
        }
        try close(writer, tries: 60, windows)
      } catch {
        window.writeFailure = window.writeFailure ?? "\(error)"
        window.path = SegmentWriter.partialPath(writer.path)
        window.takeBack(samples: writer.unwritten.samples)
      }
      window.byteCount = writer.byteCount
      windows?.onClosed(window)
    }

    /// Tries again while the disk is full and somebody may make room there, half a second apart.
    private static func close(_ writer: SegmentWriter, tries: Int, _ windows: RecordingWindows?) throws(TraceError) {
      for _ in 1..<max(tries, 1) {
        do throws(TraceError) { return try writer.close() } catch {
          guard let windows, error.isFullDisk else { throw error }
          windows.makeRoom(writer.unwritten.byteCount)
        }
        pause(500_000_000)
      }
      try writer.close()
    }

    /// Waits for the tables that samples wait for, so long.
    private static let tablesPatience: UInt64 = 3_000_000_000

    private func finishStacks() {
      let deadline = Clock.monotonic() &+ Self.tablesPatience
      while core.hasWaitingStacks, Clock.monotonic() < deadline, !isInterrupted {
        Self.pause(5_000_000)
        attempt { () throws(TraceError) in try core.takeTables() }
      }
      attempt { () throws(TraceError) in try core.giveUpWaiting() }
    }

    private func eventRecord() -> EventRecord {
      EventRecord(
        handle: EventHandle(0), name: sampler.event.name, type: "cpu", unit: "nanoseconds",
        frequencyHertz: UInt64(configuration.frequencyHertz),
        period: 1_000_000_000 / UInt64(max(configuration.frequencyHertz, 1)))
    }

    private static func untilNext(_ deadline: UInt64?, _ now: UInt64) -> UInt64 {
      guard let deadline else { return .max }
      return deadline > now ? deadline - now : 0
    }

    private static func pause(_ nanoseconds: UInt64) {
      var time = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
      _ = unsafe nanosleep(&time, nil)
    }

    /// - Parameter countsLosses: asking the kernel for its counters costs a call, which most looks can spare.
    private func drain(countsLosses: Bool) {
      batch.time = Clock.monotonic()
      sampler.drain(into: &batch.samples)
      if countsLosses {
        for loss in sampler.takeLosses() {
          batch.losses.append(
            LossRecord(
              reason: .ringBufferFull, cpu: loss.cpu, time: MonotonicInstant(nanoseconds: batch.time), count: loss.count))
        }
      }
      look()
    }

    /// Process events alone, unless there are samples in the batch.
    private func look() {
      sideband.drain(into: &batch.sideband)
      tape?.write(.batch(batch))
      attempt { () throws(TraceError) in try core.process(batch) }
      batch.samples.removeAll(keepingCapacity: true)
      batch.sideband.removeAll(keepingCapacity: true)
      batch.losses.removeAll(keepingCapacity: true)
    }

    private func flush() {
      tape?.write(.flush)
      attempt { () throws(TraceError) in try core.flush() }
      writeOtherFacts(isLast: false)
      guard let windows = configuration.windows else { return }
      let waiting = writer.unwritten.byteCount
      if waiting > 0 { windows.makeRoom(waiting) }
    }

    private func writeOtherFacts(isLast: Bool) {
      for record in configuration.otherFacts?.take(time: Clock.monotonic(), isLast: isLast) ?? [] {
        attempt { () throws(TraceError) in try writer.append(record) }
      }
    }

    /// After the first failure nothing more is written: what is there stays as it is.
    private func attempt(_ work: () throws(TraceError) -> Void) {
      guard failure == nil else { return }
      do throws(TraceError) { try work() } catch {
        if case .notWritten(_, _, let samples) = error { unwrittenSamples += samples }
        failure = error
      }
    }

    private func note(_ ending: CommandProcess.Ending) {
      report.commandStatus = ending.status
      if case .signalled(let signal) = ending { report.commandSignal = signal }
    }

    private func finish(command: CommandProcess?, start: UInt64, stop: UInt64, end: RecordingReport.End) {
      if let process = command, report.commandStatus == nil {
        // Ctrl-C reaches the command as well, which may end in its own way; a signal to the recorder alone does not.
        // A command that does not go is left alone after two seconds; its status stays unknown.
        for round in 0..<200 {
          if round == (end == .interrupted ? 20 : 0) { process.terminate() }
          if let ending = process.poll() {
            note(ending)
            break
          }
          Self.pause(10_000_000)
        }
      }
      copier.finish { isInterrupted }
      writeOtherFacts(isLast: true)
      failure = failure ?? copier.writeFailure
      var finalEnd = end
      if let failure {
        finalEnd = .diskFull
        report.writeFailure = "\(failure)"
      }
      var facts = [("end.reason", finalEnd.rawValue), ("end.time", String(stop))]
      if let status = report.commandStatus { facts.append(("command.exit_status", String(status))) }
      if let signal = report.commandSignal { facts.append(("command.signal", String(signal))) }
      if !core.interpreterRefusals.isEmpty {
        facts.append(("interpreters.refused", core.interpreterRefusals.joined(separator: "\n")))
      }
      for (name, value) in facts.sorted(by: { $0.0 < $1.0 }) {
        attempt { () throws(TraceError) in try writer.append(.sessionFact(SessionFactRecord(name: name, value: value))) }
      }
      do throws(TraceError) {
        try Self.close(writer, tries: 4, configuration.windows)
        report.path = writer.path
      } catch {
        unwrittenSamples += writer.unwritten.samples
        report.writeFailure = report.writeFailure ?? "\(error)"
        report.path = SegmentWriter.partialPath(writer.path)
        finalEnd = .writeFailed
      }
      report.end = finalEnd
      report.samples = core.totals.samples
      report.lostSamples = core.totals.lostSamples
      report.processes = core.totals.processes
      report.interpreterRefusals = core.interpreterRefusals
      report.durationNanoseconds = stop &- start
      report.byteCount = writer.byteCount
      guard let windows = configuration.windows else { return }
      closing.sync {}
      var window = closedWindow(stop: stop)
      window.path = report.path
      window.byteCount = report.byteCount
      window.writeFailure = report.writeFailure
      windows.onClosed(window)
    }
  }
}

/// A process whose end the recording waits for.
private final class OwnedLife {
  let pid: UInt32
  /// A pidfd, readable once the process ended; -1 where the kernel gave none.
  let descriptor: Int32
  var isForgotten = false

  init(pid: UInt32) {
    self.pid = pid
    descriptor = ProcessDescriptor.open(pid)
  }
  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  var hasEnded: Bool {
    guard descriptor >= 0 else { return kill(pid_t(bitPattern: pid), 0) != 0 && errno == ESRCH }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe Glibc.poll(&poll, 1, 0) == 1
  }
}
