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
