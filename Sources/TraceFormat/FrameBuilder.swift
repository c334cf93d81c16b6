import Base

/// Records on their way into one data frame, and the frame made of them.
struct FrameBuilder: ~Copyable {
  private var content = ByteWriter()
  private var scratch = ByteWriter()
  private var kinds: KindSet = []
  private var nodeCount = 0
  private(set) var sampleCount = 0
  private(set) var recordCount = 0
  private(set) var image = ImageHandle.kernel
  private let layer: UInt32
  private var compressor: LZ4Compressor

  init(layer: UInt32 = 0, level: Int32) throws(TraceError) {
    compressor = try LZ4Compressor(level: level)
    self.layer = layer
  }

  var isEmpty: Bool { content.count == 0 }
  var byteCount: Int { content.count }

  /// Takes `record` in when it fits; `false` when the frame has to be written first.
  mutating func add<Record: SegmentRecord>(_ record: Record, image: ImageHandle = .kernel) throws(TraceError) -> Bool {
    scratch.removeAll()
    record.encode(into: &scratch)
    guard scratch.count <= Limits.recordByteCount else {
      throw .recordTooLarge(kind: Record.kind, byteCount: scratch.count)
    }
    let samples = (record as? SampleBatch)?.samples.count ?? 0
    let nodes = (record as? StackBatch).map { max($0.nodes.count, $0.stacks.count) } ?? 0
    // Kind and length take at most sixteen bytes, which the record's limit leaves.
    guard
      isEmpty
        || content.count + scratch.count + 16 <= Limits.frameContentByteCount && image == self.image
          && sampleCount + samples <= Limits.samplesPerFrame && nodeCount + nodes <= Limits.nodesPerFrame
    else { return false }
    guard samples <= Limits.samplesPerFrame, nodes <= Limits.nodesPerFrame else {
      throw .recordTooLarge(kind: Record.kind, byteCount: scratch.count)
    }
    content.uleb128(Record.kind.rawValue)
    content.uleb128(UInt64(scratch.count))
    content.append(scratch.bytes)
    kinds.insert(Record.kind)
    sampleCount += samples
    nodeCount += nodes
    recordCount += 1
    self.image = image
    return true
  }

  /// The frame of all records taken in since the last one; they are gone from here.
  mutating func finish() throws(TraceError) -> BuiltFrame {
    var frame = BuiltFrame(
      bytes: [UInt8](repeating: 0, count: Preamble.frameByteCount),
      entry: FrameEntry(
        offset: 0, byteCount: 0, contentByteCount: UInt32(content.count), sequence: 0,
        sampleCount: UInt32(sampleCount), kinds: kinds, layer: layer, image: image),
      recordCount: UInt32(recordCount))
    defer { discard() }
    try compressor.appendFrame(content.bytes.borrowedBytes, to: &frame.bytes)
    frame.entry.byteCount = UInt32(frame.bytes.count - Preamble.frameByteCount)
    return frame
  }

  mutating func discard() {
    content.removeAll()
    kinds = []
    sampleCount = 0
    nodeCount = 0
    recordCount = 0
    image = .kernel
  }
}

/// A data frame with room for its preamble in front, which is filled in once the frame's place is known.
struct BuiltFrame {
  var bytes: [UInt8]
  var entry: FrameEntry
  var recordCount: UInt32
}

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
    let index = SegmentIndex(header: header, frames: frames).encodedFrame()
    let offset = file.end
    let total = offset + UInt64(index.count + Trailer.frameByteCount)
    let trailer = Trailer(indexOffset: offset, totalByteCount: total, isClosed: isClosed)
    do throws(SystemCallError) {
      try file.append((index + trailer.encodedFrame()).borrowedBytes, usingReserve: true)
      try file.finish()
    } catch {
      throw .notWritten(path: file.path, cause: error, samples: 0)
    }
  }
}
