import Base

/// The file and the list of its frames: what every writer appends to.
struct FrameSink: ~Copyable {
  private(set) var file: SegmentFile
  private let header: SegmentHeader
  private var frames: [FrameEntry]
  private var nextSequence: UInt32
  /// Frames that the disk had no room for, in order.
  private var waiting: [BuiltFrame] = []
  private(set) var waitingByteCount = 0
  /// Bytes that may wait for room; above that a full disk is an error.
  private let patience: Int
  private var isFinished = false

  init(_ file: consuming SegmentFile, header: SegmentHeader, frames: [FrameEntry] = [], patience: Int = 0) {
    self.patience = patience
    self.file = file
    self.header = header
    self.frames = frames
    nextSequence = frames.map { $0.sequence &+ 1 }.max() ?? 0
  }

  /// Writes a frame, after those that wait.
  mutating func append(_ built: consuming BuiltFrame, usingReserve: Bool = false) throws(TraceError) {
    let built = built
    do throws(TraceError) {
      try appendWaiting(usingReserve: usingReserve)
      try write(built, usingReserve: usingReserve)
    } catch {
      guard error.isFullDisk, waitingByteCount + built.bytes.count <= patience else { throw error }
      waiting.append(built)
      waitingByteCount += built.bytes.count
    }
  }

  /// Writes the frames that wait for room, as far as there is some.
  /// - Throws: `notWritten` with all samples that still wait.
  mutating func appendWaiting(usingReserve: Bool = false) throws(TraceError) {
    while let next = waiting.first {
      do throws(TraceError) { try write(next, usingReserve: usingReserve) } catch {
        guard case .notWritten(let path, let cause, _) = error else { throw error }
        throw .notWritten(path: path, cause: cause, samples: waitingSampleCount)
      }
      waitingByteCount -= next.bytes.count
      waiting.removeFirst()
    }
  }

  var waitingSampleCount: UInt64 { waiting.reduce(0) { $0 + UInt64($1.entry.sampleCount) } }

  /// Preamble and frame in one write.
  private mutating func write(_ frame: BuiltFrame, usingReserve: Bool) throws(TraceError) {
    var built = frame
    var entry = built.entry
    entry.offset = file.end
    entry.sequence = nextSequence
    var preamble = ByteWriter(capacity: Preamble.frameByteCount)
    Preamble.append(
      entry, dataHeader: built.bytes.borrowedBytes.extracting(Preamble.frameByteCount..<Preamble.checkedByteCount),
      traceID: header.traceID, to: &preamble)
    built.bytes.replaceSubrange(0..<Preamble.frameByteCount, with: preamble.bytes)
    do throws(SystemCallError) {
      try file.append(built.bytes.borrowedBytes, usingReserve: usingReserve)
    } catch {
      throw .notWritten(path: file.path, cause: error, samples: UInt64(entry.sampleCount))
    }
    nextSequence &+= 1
    frames.append(entry)
  }

  /// Index and trailer, in one write, and everything on the disk.
  mutating func close(isClosed: Bool) throws(TraceError) {
    if isFinished { return }
    let index = SegmentIndex(header: header, frames: frames).encodedFrame()
    let offset = file.end
    let total = offset + UInt64(index.count + Trailer.frameByteCount)
    let trailer = Trailer(indexOffset: offset, totalByteCount: total, isClosed: isClosed)
    do throws(SystemCallError) {
      try file.append((index + trailer.encodedFrame()).borrowedBytes, usingReserve: true)
      try file.finish()
    } catch {
      // So that it may be tried again.
      try? file.cut(at: offset)
      throw .notWritten(path: file.path, cause: error, samples: 0)
    }
    isFinished = true
  }
}
