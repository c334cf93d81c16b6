import Base
import Dispatch
import Glibc
import TraceFormat

/// The windows that a long recording is written in, a segment each.
extension RecordingSession {
  /// What every segment begins with.
  func beginSegment() throws(TraceError) {
    try writer.append(.event(eventRecord()))
    try writer.append(.sessionFact(SessionFactRecord(name: "start.time", value: String(segmentStart))))
    for fact in configuration.windows?.facts(segmentStart) ?? [] { try writer.append(fact) }
  }

  var windowEnd: UInt64? {
    guard let windows = configuration.windows else { return nil }
    return max(segmentStart &+ (configuration.control?.windowNanoseconds ?? windows.nanoseconds), nextSegmentTry)
  }

  /// This window goes on until there is room for the next.
  func postponeNextWindow() {
    configuration.windows?.makeRoom(writer.unwritten.byteCount)
    nextSegmentTry = Clock.monotonic() &+ 1_000_000_000
  }

  /// Goes on in the next segment; the one before is finished beside the recording.
  func beginNextWindow() {
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

  func closedWindow(stop: UInt64) -> ClosedWindow {
    let samples = core.totals.samples &- totalsBefore.samples
    let unwritten = min(samples, unwrittenSamples)
    return ClosedWindow(
      path: writer.path, samples: samples - unwritten,
      lostSamples: core.totals.lostSamples &- totalsBefore.lostSamples &+ unwritten, byteCount: 0,
      durationNanoseconds: stop &- segmentStart, writeFailure: nil)
  }

  static func close(
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
  static func close(_ writer: SegmentWriter, tries: Int, _ windows: RecordingWindows?) throws(TraceError) {
    for _ in 1..<max(tries, 1) {
      do throws(TraceError) { return try writer.close() } catch {
        guard let windows, error.isFullDisk else { throw error }
        windows.makeRoom(writer.unwritten.byteCount)
      }
      pause(500_000_000)
    }
    try writer.close()
  }
}
