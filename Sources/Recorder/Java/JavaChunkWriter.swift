import Base
import Java
import TraceFormat

/// Writes what JVMs recorded themselves into the trace, beside the samples.
final class JavaChunkWriter {
  private struct Session {
    var program: RecordedProcess
    var begun: JavaRecorder.Begun
  }

  private let recorder: JavaRecorder
  private let core: RecordingCore
  private var sink: any RecordSink
  /// Takes messages as they come; without it they are kept.
  private let onMessage: (@Sendable (JavaRecorder.Message) -> Void)?
  private var sessions: [UInt32: Session] = [:]
  private var nextChunk: UInt32 = 0
  private(set) var messages: [JavaRecorder.Message] = []
  private(set) var processCount = 0
  /// Whether there is a chunk in this segment.
  private(set) var hasWritten = false

  /// Bytes of a chunk in one record.
  private static let partByteCount = 256 * 1024
  private static let messageLimit = 1000
  /// For the JVMs to end their recordings.
  private static let endMilliseconds = 15_000

  init(
    _ orders: JavaOrders, core: RecordingCore, sink: any RecordSink, onMessage: (@Sendable (JavaRecorder.Message) -> Void)?
  ) {
    recorder = JavaRecorder(orders)
    self.core = core
    self.sink = sink
    self.onMessage = onMessage
  }

  func start() { recorder.start() }
  var hasEnded: Bool { recorder.hasEnded }

  /// Goes on in another segment, after the core did.
  func begin(sink: any RecordSink) {
    self.sink = sink
    nextChunk = 0
    hasWritten = false
    for session in sessions.values {
      session.program.handle = nil
      session.program.space = nil
    }
  }

  /// Writes what was finished since the last call.
  func take(time: UInt64) throws(TraceError) { try write(recorder.takeNews(), time: time) }

  func write(_ news: JavaRecorder.News, time: UInt64) throws(TraceError) {
    for begun in news.begun {
      // Now, while the process can still tell who it is.
      guard let program = core.program(of: begun.process, startTicks: begun.startTicks, time: time) else {
        tell(JavaRecorder.Message(process: begun.process, text: "it ended before it could be asked who it is", isWarning: true))
        continue
      }
      sessions[begun.session] = Session(program: program, begun: begun)
      processCount += 1
    }
    for message in news.messages { tell(message) }
    for chunk in news.chunks {
      guard let session = sessions[chunk.session] else { continue }
      try write(chunk.bytes, of: session)
    }
    for number in news.ended { sessions[number] = nil }
  }

  private func tell(_ message: JavaRecorder.Message) {
    if let onMessage { onMessage(message) } else if messages.count < Self.messageLimit { messages.append(message) }
  }

  private func write(_ bytes: [UInt8], of session: Session) throws(TraceError) {
    let handle = try core.handle(of: session.program)
    hasWritten = true
    if !session.begun.settings.isEmpty {
      try sink.append(.sessionFact(SessionFactRecord(name: "java_chunk.\(nextChunk).settings", value: session.begun.settings)))
    }
    var offset = 0
    while offset < bytes.count {
      let end = min(offset + Self.partByteCount, bytes.count)
      try sink.append(
        .javaChunk(
          JavaChunkRecord(
            process: handle, engine: session.begun.engine == .asyncProfiler ? .asyncProfiler : .flightRecorder, chunk: nextChunk,
            offset: UInt64(offset), bytes: Array(bytes[offset..<end]))))
      offset = end
    }
    nextChunk += 1
  }

  /// Ends the JVMs' recordings and writes the rest.
  func finish(time: UInt64) throws(TraceError) {
    let hasEnded = recorder.finish(milliseconds: Self.endMilliseconds)
    try take(time: time)
    if !hasEnded {
      tell(JavaRecorder.Message(process: 0, text: "a JVM did not end its recording in time: its last seconds are missing", isWarning: true))
    }
  }
}
