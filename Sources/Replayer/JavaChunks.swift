package import TraceFormat

/// The chunks of JVMs' flight recordings in a trace, put together from their parts.
package struct JavaChunks: Sendable {
  package struct Chunk: Sendable {
    /// As the trace counts them.
    package var number: UInt32
    package var process: UInt32
    package var engine: JavaChunkRecord.Engine
    package var bytes: [UInt8]
    /// Whether no part of it is missing, as far as its parts tell.
    package var isWhole = true
  }

  /// In the order of the file.
  package private(set) var all: [Chunk] = []
  private var places: [UInt32: Int] = [:]
  private var byteCount = 0
  /// Of all together: a file's few bytes may not fill the memory.
  private static let limit = 4 << 30

  package init() {}

  package var isEmpty: Bool { all.isEmpty }

  /// - Returns: `false` when the part is left out: there is no room for it, or one before it is missing.
  mutating func add(_ part: JavaChunkRecord) -> Bool {
    guard byteCount + part.bytes.count <= Self.limit else { return false }
    byteCount += part.bytes.count
    guard let place = places[part.chunk] else {
      places[part.chunk] = all.count
      all.append(
        Chunk(number: part.chunk, process: part.process.rawValue, engine: part.engine, bytes: part.bytes, isWhole: part.offset == 0))
      return part.offset == 0
    }
    // What comes after a gap would be read at the wrong place.
    guard all[place].isWhole, part.offset == UInt64(all[place].bytes.count) else {
      all[place].isWhole = false
      return false
    }
    all[place].bytes += part.bytes
    return true
  }
}
