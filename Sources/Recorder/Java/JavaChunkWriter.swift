import Base
import Java
import TraceFormat

/// Writes what JVMs recorded themselves into the trace, beside the samples.
final class JavaChunkWriter {
  private let recorder: JavaRecorder
  private let core: RecordingCore
  private let sink: any RecordSink
  private var handles: [UInt32: ProcessHandle] = [:]
  private var nextChunk: UInt32 = 0
  private(set) var messages: [JavaRecorder.Message] = []
  private(set) var processCount = 0

  /// Bytes of a chunk in one record.
  private static let partByteCount = 256 * 1024
  private static let messageLimit = 1000
  /// For the JVMs to end their recordings.
  private static let endMilliseconds = 15_000

  init(_ recorder: JavaRecorder, core: RecordingCore, sink: any RecordSink) {
    self.recorder = recorder
    self.core = core
    self.sink = sink
  }

  func start() { recorder.start() }

  /// Writes what was finished since the last call.
  func take(time: UInt64) throws(TraceError) {
    for process in recorder.takeBegun() {
      // Now, while the process can still tell who it is.
      guard let handle = try core.handle(of: process, time: time) else { continue }
      handles[process] = handle
      processCount += 1
    }
    for message in recorder.takeMessages() where messages.count < Self.messageLimit { messages.append(message) }
    for chunk in recorder.takeChunks() {
      guard let handle = handles[chunk.process] else { continue }
      var offset = 0
      while offset < chunk.bytes.count {
        let end = min(offset + Self.partByteCount, chunk.bytes.count)
        try sink.append(
          .javaChunk(
            JavaChunkRecord(
              process: handle, engine: chunk.engine == .asyncProfiler ? .asyncProfiler : .flightRecorder, chunk: nextChunk,
              offset: UInt64(offset), bytes: Array(chunk.bytes[offset..<end]))))
        offset = end
      }
      nextChunk += 1
    }
  }

  /// Ends the JVMs' recordings and writes the rest.
  func finish(time: UInt64) throws(TraceError) {
    let hasEnded = recorder.finish(milliseconds: Self.endMilliseconds)
    try take(time: time)
    if !hasEnded {
      messages.append(
        JavaRecorder.Message(process: 0, text: "a JVM did not end its recording in time: its last seconds are missing", isWarning: true))
    }
  }
}
