import Base
import Synchronization

/// Appends what a later stage found out to a segment, and a new index. Nothing written before changes.
///
/// Until `close()` the older state stays what a reader finds. What an interrupted append left behind is cut off
/// when it is the beginning of a frame that was never written whole, and is otherwise left where it is.
public final class SegmentAppender: Sendable {
  /// The number that all records of this append carry.
  public let layer: UInt32
  private let isClosed: Bool
  private let builder: Mutex<FrameBuilder>
  private let sink: Mutex<FrameSink>
  private let recordCount = Mutex<UInt32>(0)

  public init(path: String) throws(TraceError) {
    var file = try SegmentFile(appendingTo: path)
    // Opened after the lock was taken, so that it sees what the last writer left.
    let reader = try SegmentReader(path: path)
    if reader.hasTornTail {
      do throws(SystemCallError) { try file.cut(at: reader.wholeEnd) } catch { throw .system(error) }
    }
    layer = (reader.frames.map(\.layer).max() ?? 0) &+ 1
    isClosed = reader.isClosed
    sink = Mutex(FrameSink(file, header: reader.header, frames: reader.frames))
    builder = Mutex(try FrameBuilder(layer: layer, level: SegmentWriter.recordLevel))
  }

  /// Takes `record`, one of this layer, in.
  public func append<Record: SegmentRecord>(_ record: Record) throws(TraceError) {
    try builder.withLock { (builder) throws(TraceError) in
      var written: UInt32 = 0
      let before = builder.recordCount
      try SegmentWriter.add(record, image: .kernel, to: &builder) { (built) throws(TraceError) in
        let built = built
        written += built.recordCount
        try self.sink.withLock { (sink) throws(TraceError) in try sink.append(built) }
      }
      let added = written + UInt32(builder.recordCount) - UInt32(before)
      recordCount.withLock { $0 += added }
    }
  }

  /// As the other, for records whose kind is only known now.
  public func append(_ record: TraceRecord) throws(TraceError) { try append(opened: record.value) }

  private func append(opened record: some SegmentRecord) throws(TraceError) { try append(record) }

  /// Ends the layer, and writes what waits, the index and the trailer: from here on readers find the layer.
  public func close(_ kind: LayerEndRecord.Kind) throws(TraceError) {
    let count = recordCount.withLock { $0 }
    try append(LayerEndRecord(layer: layer, kind: kind, recordCount: count))
    try builder.withLock { (builder) throws(TraceError) in
      let built = try builder.finish()
      try sink.withLock { (sink) throws(TraceError) in
        try sink.append(built)
        try sink.close(isClosed: isClosed)
      }
    }
  }
}
