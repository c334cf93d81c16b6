public import Base

/// A part of a chunk of a JVM's flight recording, as the JVM wrote it. The parts of one chunk follow each other; a chunk of
/// which a part is missing is damaged from there on.
public struct JavaChunkRecord: Hashable, Sendable {
  /// Who recorded it.
  public enum Engine: UInt8, Hashable, Sendable, CaseIterable {
    /// The JDK's Flight Recorder.
    case flightRecorder = 0
    case asyncProfiler = 1
  }
  public var process: ProcessHandle
  public var engine: Engine
  /// Chunks of a trace count from 0.
  public var chunk: UInt32
  /// From the chunk's first byte.
  public var offset: UInt64
  public var bytes: [UInt8]
  public init(process: ProcessHandle, engine: Engine, chunk: UInt32, offset: UInt64, bytes: [UInt8]) {
    self.process = process
    self.engine = engine
    self.chunk = chunk
    self.offset = offset
    self.bytes = bytes
  }
}

extension JavaChunkRecord: SegmentRecord {
  public static let kind = RecordKind.javaChunk

  public func encode(into writer: inout ByteWriter) {
    writer.handle(process)
    writer.write(engine.rawValue)
    writer.number(UInt64(chunk))
    writer.number(offset)
    writer.lengthPrefixed(bytes)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    process = try cursor.handle("java_chunk.process")
    engine = try cursor.choice("java_chunk.engine")
    chunk = try cursor.number("java_chunk.chunk")
    offset = try cursor.uleb128("java_chunk.offset")
    bytes = try cursor.data("java_chunk.bytes", limit: Limits.frameContentByteCount)
  }

  public func halves() -> (Self, Self)? {
    let middle = bytes.count / 2
    guard middle > 0 else { return nil }
    return (
      Self(process: process, engine: engine, chunk: chunk, offset: offset, bytes: Array(bytes[..<middle])),
      Self(process: process, engine: engine, chunk: chunk, offset: offset &+ UInt64(middle), bytes: Array(bytes[middle...]))
    )
  }
}
