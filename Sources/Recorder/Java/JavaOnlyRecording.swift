import Base
import Glibc
import Java
import TraceFormat

/// A recording of JVMs alone, by their own means: what is left where the kernel may not be asked for samples.
final class JavaOnlyRecording {
  private let configuration: RecorderConfiguration
  private let writer: SegmentWriter
  private let core: RecordingCore
  private let recorder: JavaRecorder
  private let java: JavaChunkWriter
  private let signals: SignalDescriptor
  private var failure: TraceError?

  private static let lookMilliseconds: Int32 = 200
  /// As long as samples wait too: what a killed recorder loses.
  private static let flushInterval: UInt64 = 800_000_000

  init(_ configuration: RecorderConfiguration, named: [UInt32], files: any ProcessFileSystem, host: HostIdentity, traceID: [UInt8])
    throws(RecorderError)
  {
    self.configuration = configuration
    signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP])
    let header = SegmentHeader(
      traceID: traceID, anchor: Clock.anchor(), machine: host.machine, kernelRelease: host.kernelRelease,
      kernelVersion: host.kernelVersion, hostName: host.hostName, cpuCount: UInt32(KernelAbilities.onlineCPUs().count),
      recorderVersion: configuration.recorderVersion,
      abilities: [SegmentHeader.Ability(name: "clock", value: "monotonic"), SegmentHeader.Ability(name: "scope", value: "jvms")])
    do throws(TraceError) { writer = try SegmentWriter(path: configuration.output, header: header) } catch { throw .trace(error) }
    core = RecordingCore(files: files, opener: NoImages(), sink: writer, copier: NoImages())
    recorder = JavaRecorder(named: named, configuration.javaRequest, agent: configuration.javaAgent)
    java = JavaChunkWriter(recorder, core: core, sink: writer)
  }

  /// Until the duration is over, a signal asks for the end, or every JVM that was named is gone.
  func run(onReady: (() -> Void)?, onProgress: ((Double, UInt64, UInt64) -> Void)?) -> RecordingReport {
    let start = Clock.monotonic()
    let deadline = configuration.durationNanoseconds.map { start &+ $0 }
    java.start()
    onReady?()
    attempt { () throws(TraceError) in
      try writer.append(.sessionFact(SessionFactRecord(name: "start.time", value: String(start))))
    }
    var end: RecordingReport.End?
    var lastFlush = start
    while end == nil {
      var poll = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
      // Safe: one entry, which outlives the call.
      _ = unsafe Glibc.poll(&poll, 1, Self.lookMilliseconds)
      let now = Clock.monotonic()
      if signals.take() { end = .interrupted }
      if let deadline, now >= deadline { end = .duration }
      if recorder.hasEnded { end = end ?? .processesEnded }
      guard now &- lastFlush >= Self.flushInterval else { continue }
      lastFlush = now
      take(now)
      if failure != nil { end = .diskFull }
      onProgress?(Double(now &- start) / 1e9, 0, 0)
    }
    let stop = Clock.monotonic()
    attempt { () throws(TraceError) in try java.finish(time: stop) }
    return close(end ?? .duration, start: start, stop: stop)
  }

  private func take(_ time: UInt64) {
    attempt { () throws(TraceError) in
      try java.take(time: time)
      try core.flush()
    }
  }

  private func close(_ asked: RecordingReport.End, start: UInt64, stop: UInt64) -> RecordingReport {
    var report = RecordingReport()
    report.end = failure == nil ? asked : .diskFull
    let reason = report.end.rawValue
    attempt { () throws(TraceError) in
      try core.flush()
      try writer.append(.sessionFact(SessionFactRecord(name: "end.reason", value: reason)))
      try writer.append(.sessionFact(SessionFactRecord(name: "end.time", value: String(stop))))
    }
    report.writeFailure = failure.map { "\($0)" }
    do throws(TraceError) {
      try writer.close()
      report.path = configuration.output
    } catch {
      report.writeFailure = report.writeFailure ?? "\(error)"
      report.path = configuration.output + ".part"
      report.end = .writeFailed
    }
    report.processes = core.totals.processes
    report.durationNanoseconds = stop &- start
    report.byteCount = writer.byteCount
    report.javaMessages = java.messages
    report.javaProcesses = java.processCount
    return report
  }

  /// After the first failure nothing more is written: what is there stays as it is.
  private func attempt(_ work: () throws(TraceError) -> Void) {
    guard failure == nil else { return }
    do throws(TraceError) { try work() } catch { failure = error }
  }
}

/// No sample hits an image here: none is opened and none copied.
private final class NoImages: ImageOpener, ImageCopying {
  func open(process: UInt32, start: UInt64, end: UInt64, path: String, inode: UInt64) -> Int32? { nil }
  func copy(_ request: ImageRequest) {}
  func lookUp(kernelAddresses: [UInt64]) {}
}
