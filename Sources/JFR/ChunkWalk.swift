import Base

/// Bytes of a file that are a chunk, or that are nothing this reads.
package struct FilePart: Hashable, Sendable {
  /// From the file's first byte.
  package let range: Range<Int>
  /// `nil` for a chunk that is whole.
  package let problem: ChunkProblem?
  package let isChunk: Bool
}

/// Finds a recording's chunks, one after the other, whatever lies between them.
package struct ChunkWalk: ~Escapable {
  private let bytes: RawSpan
  private var position = 0

  /// - Parameters:
  ///   - bytes: the whole file.
  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan) { self.bytes = bytes }

  package mutating func next() -> FilePart? {
    guard position < bytes.byteCount else { return nil }
    let start = position
    do throws(ChunkProblem) {
      let header = try ChunkHeader(bytes.extracting(start...))
      return chunk(header, at: start)
    } catch {
      position = nextChunk(after: start, unlike: nil)
      return FilePart(range: start..<position, problem: error, isChunk: false)
    }
  }

  private mutating func chunk(_ header: ChunkHeader, at start: Int) -> FilePart {
    let remaining = bytes.byteCount - start
    if let size = Int(exactly: header.byteCount), size >= ChunkHeader.byteCount, size <= remaining {
      position = start + size
      if position == bytes.byteCount || isChunk(at: position, unlike: header) {
        return FilePart(range: start..<position, problem: header.isFinished ? nil : .unfinished(Self.stillWritten), isChunk: true)
      }
      // What follows belongs to it: events after its last flush, or its size is wrong.
      position = nextChunk(after: position, unlike: header)
      let why = header.isFinished ? "\(position - start - size) bytes follow it that are no chunk" : Self.stillWritten
      return FilePart(range: start..<position, problem: .unfinished(why), isChunk: true)
    }
    position = nextChunk(after: start + 1, unlike: header)
    let why = position == bytes.byteCount ? "the file ends before it does" : "the next chunk begins before it ends"
    return FilePart(range: start..<position, problem: .unfinished(why), isChunk: true)
  }

  private static let stillWritten = "it was still being written"

  /// The place of the next chunk from `start` on, or the file's end.
  private func nextChunk(after start: Int, unlike header: ChunkHeader?) -> Int {
    var place = start
    while place + ChunkHeader.byteCount <= bytes.byteCount {
      if bytes.byte(at: place) == 0x46, isChunk(at: place, unlike: header) { return place }
      place += 1
    }
    return bytes.byteCount
  }

  /// A chunk carries a copy of its own header among its constants; that one is not another chunk.
  private func isChunk(at place: Int, unlike header: ChunkHeader?) -> Bool {
    do throws(ChunkProblem) {
      let other = try ChunkHeader(bytes.extracting(place...))
      return header?.startNanoseconds != other.startNanoseconds || header?.startTicks != other.startTicks
    } catch { return false }
  }
}
