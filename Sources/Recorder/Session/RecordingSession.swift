import Base
import CRecorderABI
import Dispatch
import Glibc
import Java
import TraceFormat

/// Samples being taken into a file: one thread that waits for what happens, and what it does then.
final class RecordingSession {
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

  let configuration: RecorderConfiguration
  let sampler: Sampler
  let sideband: SidebandRings
  var writer: SegmentWriter
  /// `nil` when somebody else takes them.
  let signals: SignalDescriptor?
  let tape: TapeWriter?
  var copier: ImageCopier
  let core: RecordingCore
  let files: any ProcessFileSystem
  let makeSegment: (ClockAnchor) throws(TraceError) -> SegmentWriter
  /// What there was before the segment that is being written, and when that began.
  var totalsBefore = RecordingCore.Totals()
  var segmentStart: UInt64 = 0
  /// Samples of the segment that is being written which the disk had no room for.
  var unwrittenSamples: UInt64 = 0
  /// When the next segment is tried again that there was no room for.
  var nextSegmentTry: UInt64 = 0
  let closing = DispatchQueue(label: "pyrorec.segments", qos: .utility)
  let unwinding: Unwinding?
  let java: JavaChunkWriter?
  var report = RecordingReport()
  /// Emptied and filled again: its memory is taken once.
  var batch = KernelBatch(time: 0)
  var failure: TraceError?
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
    var patience = Self.soon
    var end: RecordingReport.End?
    while end == nil {
      let now = Clock.monotonic()
      if let deadline, now >= deadline {
        end = .duration
        break
      }
      let interval = now &- start < Self.drainInterval ? Self.firstDrainInterval : Self.drainInterval
      let nextDrain = lastDrain &+ interval
      if let windowEnd, now >= windowEnd, !core.hasWaitingStacks || now &- windowEnd >= Self.tablesPatience { beginNextWindow() }
      let rest = min(Self.untilNext(deadline, now), Self.untilNext(nextDrain, now), Self.untilNext(self.windowEnd, now))
      let asksAgain = core.wantsAnotherLookSoon
      let woken = waiter.wait(nanoseconds: asksAgain ? min(rest, patience) : rest)
      patience = asksAgain && woken.isEmpty ? min(patience * 2, Self.latest) : Self.soon
      if woken.contains(.tables) { attempt { () throws(TraceError) in try core.takeTables() } }
      if woken.contains(.sideband) { Self.pause(Self.wakeupPause) }
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
        if after &- lastFlush >= Self.drainInterval {
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

  var isInterrupted: Bool { signals?.take() ?? false }

  func eventRecord() -> EventRecord {
    EventRecord(
      handle: EventHandle(0), name: sampler.event.name, type: "cpu", unit: "nanoseconds",
      frequencyHertz: UInt64(configuration.frequencyHertz),
      period: 1_000_000_000 / UInt64(max(configuration.frequencyHertz, 1)))
  }

  static func untilNext(_ deadline: UInt64?, _ now: UInt64) -> UInt64 {
    guard let deadline else { return .max }
    return deadline > now ? deadline - now : 0
  }

  static func pause(_ nanoseconds: UInt64) {
    var time = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
    _ = unsafe nanosleep(&time, nil)
  }

  /// - Parameter countsLosses: asking the kernel for its counters costs a call, which most looks can spare.
  func drain(countsLosses: Bool) {
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
  func look() {
    sideband.drain(into: &batch.sideband)
    tape?.write(.batch(batch))
    attempt { () throws(TraceError) in try core.process(batch) }
    batch.samples.removeAll(keepingCapacity: true)
    batch.sideband.removeAll(keepingCapacity: true)
    batch.losses.removeAll(keepingCapacity: true)
  }

  func flush() {
    tape?.write(.flush)
    attempt { () throws(TraceError) in try core.flush() }
    writeOtherFacts(isLast: false)
    guard let windows = configuration.windows else { return }
    let waiting = writer.unwritten.byteCount
    if waiting > 0 { windows.makeRoom(waiting) }
  }

  func writeOtherFacts(isLast: Bool) {
    for record in configuration.otherFacts?.take(time: Clock.monotonic(), isLast: isLast) ?? [] {
      attempt { () throws(TraceError) in try writer.append(record) }
    }
  }

  /// After the first failure nothing more is written: what is there stays as it is.
  func attempt(_ work: () throws(TraceError) -> Void) {
    guard failure == nil else { return }
    do throws(TraceError) { try work() } catch {
      if case .notWritten(_, _, let samples) = error { unwrittenSamples += samples }
      failure = error
    }
  }
}
