import Base
import Glibc
import Java
import TraceFormat

/// One recording, from opening the file to closing it.
///
/// One thread does everything that must not wait: it looks at what processes do when they do it, reads the samples and
/// writes a frame about once a second. Copying images and looking up kernel symbols happen beside it.
package final class Recorder {
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
    let session = RecordingSession(
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
}
