import Base
import Glibc
import Java
import TraceFormat

/// A recording of JVMs alone, by their own means: where nothing else is wanted, and what is left where the kernel may not be
/// asked for samples.
final class JavaOnlyRecording {
  private let configuration: RecorderConfiguration
  private let makeSegment: (ClockAnchor) throws(TraceError) -> SegmentWriter
  private var writer: SegmentWriter
  private let core: RecordingCore
  private let java: JavaChunkWriter
  /// `nil` when somebody else takes them.
  private let signals: SignalDescriptor?
  private var segmentStart: UInt64 = 0
  private var failure: TraceError?
  /// While the disk is full the next window waits.
  private var nextSegmentTry: UInt64 = 0
  private static let closeTries = 20

  private static let lookMilliseconds: Int32 = 200
  /// As long as samples wait too: what a killed recorder loses.
  private static let flushInterval: UInt64 = 800_000_000

  init(
    _ configuration: RecorderConfiguration, _ orders: JavaOrders, files: any ProcessFileSystem,
    makeSegment: @escaping (ClockAnchor) throws(TraceError) -> SegmentWriter
  ) throws(RecorderError) {
    self.configuration = configuration
    self.makeSegment = makeSegment
    signals = configuration.control == nil ? try SignalDescriptor([SIGINT, SIGTERM, SIGHUP]) : nil
    do throws(TraceError) { writer = try makeSegment(Clock.anchor()) } catch { throw .trace(error) }
    core = RecordingCore(files: files, opener: NoImages(), sink: writer, copier: NoImages())
    java = JavaChunkWriter(orders, core: core, sink: writer, onMessage: configuration.onJavaMessage)
  }

  /// Until the duration is over, somebody asks for the end, or every JVM that was named is gone.
  func run(onReady: (() -> Void)?, onProgress: ((Double, UInt64, UInt64) -> Void)?) -> RecordingReport {
    let start = Clock.monotonic()
    let deadline = configuration.durationNanoseconds.map { start &+ $0 }
    segmentStart = start
    java.start()
    onReady?()
    attempt { () throws(TraceError) in try beginSegment() }
    var end: RecordingReport.End?
    var lastFlush = start
    while end == nil {
      var poll = pollfd(fd: signals?.descriptor ?? configuration.control?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      // Safe: one entry, which outlives the call.
      _ = unsafe Glibc.poll(&poll, 1, Self.lookMilliseconds)
      let now = Clock.monotonic()
      if signals?.take() ?? false { end = .interrupted }
      if let control = configuration.control, poll.revents != 0 {
        control.acknowledge()
        if control.isStopping { end = .interrupted }
      }
      if let deadline, now >= deadline { end = .duration }
      if java.hasEnded { end = end ?? .processesEnded }
      guard now &- lastFlush >= Self.flushInterval else { continue }
      lastFlush = now
      take(now)
      if let windowEnd, now >= windowEnd, java.hasWritten { beginNextWindow() }
      if failure != nil { end = .diskFull }
      onProgress?(Double(now &- start) / 1e9, 0, 0)
    }
    let stop = Clock.monotonic()
    attempt { () throws(TraceError) in
      try java.finish(time: stop)
      try writeOtherFacts(stop, isLast: true)
    }
    return close(end ?? .duration, start: start, stop: stop)
  }

  private func take(_ time: UInt64) {
    attempt { () throws(TraceError) in
      try java.take(time: time)
      try writeOtherFacts(time, isLast: false)
      try core.flush()
    }
    let waiting = writer.unwritten.byteCount
    if waiting > 0 { configuration.windows?.makeRoom(waiting) }
  }

  private func writeOtherFacts(_ time: UInt64, isLast: Bool) throws(TraceError) {
    for record in configuration.otherFacts?.take(time: time, isLast: isLast) ?? [] { try writer.append(record) }
  }

  // MARK: Segments

  private func beginSegment() throws(TraceError) {
    try writer.append(.sessionFact(SessionFactRecord(name: "start.time", value: String(segmentStart))))
    for fact in configuration.windows?.facts(segmentStart) ?? [] { try writer.append(fact) }
  }

  private var windowEnd: UInt64? {
    guard let windows = configuration.windows else { return nil }
    return max(segmentStart &+ (configuration.control?.windowNanoseconds ?? windows.nanoseconds), nextSegmentTry)
  }

  /// Goes on in the next segment. One without a chunk would say nothing: it goes on until it has one.
  private func beginNextWindow() {
    guard failure == nil else { return }
    let anchor = Clock.anchor()
    let next: SegmentWriter
    do throws(TraceError) {
      guard writer.unwritten.byteCount == 0 else { return postponeNextWindow() }
      next = try makeSegment(anchor)
    } catch {
      if error.isFullDisk { return postponeNextWindow() }
      return failure = error
    }
    var report = RecordingReport()
    finishSegment("window", stop: anchor.monotonic.nanoseconds, &report)
    writer = next
    segmentStart = anchor.monotonic.nanoseconds
    failure = nil
    core.begin(sink: next, copier: NoImages())
    java.begin(sink: next)
    attempt { () throws(TraceError) in
      try beginSegment()
      try writer.flush()
    }
  }

  private func postponeNextWindow() {
    configuration.windows?.makeRoom(writer.unwritten.byteCount)
    nextSegmentTry = Clock.monotonic() &+ 1_000_000_000
  }

  /// Tries again while the disk is full and somebody may make room there, half a second apart.
  private func closeWriter() throws(TraceError) {
    for _ in 1..<Self.closeTries {
      do throws(TraceError) { return try writer.close() } catch {
        guard let windows = configuration.windows, error.isFullDisk else { throw error }
        windows.makeRoom(writer.unwritten.byteCount)
      }
      usleep(500_000)
    }
    try writer.close()
  }

  /// Closes the segment, and tells whoever waits for it.
  private func finishSegment(_ reason: String, stop: UInt64, _ report: inout RecordingReport) {
    attempt { () throws(TraceError) in
      try core.flush()
      try writer.append(.sessionFact(SessionFactRecord(name: "end.reason", value: reason)))
      try writer.append(.sessionFact(SessionFactRecord(name: "end.time", value: String(stop))))
    }
    report.writeFailure = failure.map { "\($0)" }
    do throws(TraceError) {
      try closeWriter()
      report.path = writer.path
    } catch {
      report.writeFailure = report.writeFailure ?? "\(error)"
      report.path = SegmentWriter.partialPath(writer.path)
      report.end = .writeFailed
    }
    report.byteCount = writer.byteCount
    configuration.windows?.onClosed(
      ClosedWindow(
        path: report.path, samples: 0, lostSamples: 0, byteCount: report.byteCount, durationNanoseconds: stop &- segmentStart,
        writeFailure: report.writeFailure))
  }

  private func close(_ asked: RecordingReport.End, start: UInt64, stop: UInt64) -> RecordingReport {
    var report = RecordingReport()
    report.end = failure == nil ? asked : .diskFull
    finishSegment(report.end.rawValue, stop: stop, &report)
    report.processes = core.totals.processes
    report.durationNanoseconds = stop &- start
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
