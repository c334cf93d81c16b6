import Base

/// The 68 bytes a chunk begins with, all numbers big-endian (`jdk.jfr.internal.consumer.ChunkHeader`).
package struct ChunkHeader: Hashable, Sendable {
  package static let byteCount = 68
  /// `FLR\0`
  package static let magic: [UInt8] = [0x46, 0x4c, 0x52, 0x00]

  package let major: UInt16
  package let minor: UInt16
  /// Bytes of the chunk with this header; of a chunk that is still written, up to what was last flushed, or a guess.
  package let byteCount: Int64
  /// From the chunk's first byte to its last checkpoint; 0 while there is none.
  package let checkpointOffset: Int64
  /// From the chunk's first byte to its metadata; 0 while there is none.
  package let metadataOffset: Int64
  /// Since 1970.
  package let startNanoseconds: Int64
  package let durationNanoseconds: Int64
  package let startTicks: Int64
  package let ticksPerSecond: Int64
  /// 0 when finished, 255 while this header is being rewritten, else counted up with every flush.
  package let generation: UInt8
  package let flags: UInt16

  /// Whether integers are written in 1 to 9 bytes, else in their natural width.
  package var isCompressed: Bool { flags & 1 != 0 }
  package var isFinished: Bool { generation == 0 }

  /// - Parameters:
  ///   - bytes: from the chunk's first on.
  package init(_ bytes: RawSpan) throws(ChunkProblem) {
    do throws(MalformedInput) {
      var cursor = BigEndianCursor(bytes)
      let magic: UInt32 = try cursor.read("magic")
      guard magic == 0x464c_5200 else { throw malformed("magic", at: 0, "is not FLR") }
      major = try cursor.read("major version")
      minor = try cursor.read("minor version")
      byteCount = Int64(bitPattern: try cursor.read("chunk size"))
      checkpointOffset = Int64(bitPattern: try cursor.read("checkpoint offset"))
      metadataOffset = Int64(bitPattern: try cursor.read("metadata offset"))
      startNanoseconds = Int64(bitPattern: try cursor.read("start time"))
      durationNanoseconds = Int64(bitPattern: try cursor.read("duration"))
      startTicks = Int64(bitPattern: try cursor.read("start ticks"))
      ticksPerSecond = Int64(bitPattern: try cursor.read("ticks per second"))
      generation = try cursor.read("generation")
      _ = try cursor.read("unused", as: UInt8.self)
      flags = try cursor.read("flags")
    } catch { throw .malformed(error) }
    guard major == 2 else { throw .unsupportedVersion(major: major, minor: minor) }
  }

  /// Whether the file begins as a flight recording does, whatever its version.
  package static func isRecording(_ start: some Collection<UInt8>) -> Bool { start.starts(with: magic) }
}

/// Reads numbers of fixed width, most significant byte first.
struct BigEndianCursor: ~Escapable {
  private var cursor: ByteCursor

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { cursor = ByteCursor(bytes) }

  mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
    _ field: StaticString, as type: Value.Type = Value.self
  ) throws(MalformedInput) -> Value {
    let little: Value = try cursor.read(field)
    return little.byteSwapped
  }
}
