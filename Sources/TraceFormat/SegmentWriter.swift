import Base
import Synchronization
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Writes one segment: records in, whole frames out, at every moment a file that reads.
///
/// The file is `PATH.part` until `close()`. Records of one thread keep their order; the chunks of images go into
/// frames of their own, which are written before the `ImageEndRecord` that follows them.
public final class SegmentWriter: Sendable {
  /// What is many in records is range coded already: a longer search for matches finds nothing more.
  static let recordLevel: Int32 = 1
  /// Copies are large and made while the process lives.
  private static let imageLevel: Int32 = 1
  private static let smallImageLevel: Int32 = 3
  /// Image chunks in one frame, and records in one frame when nobody asks for a flush before.
  private static let fullByteCount = 1 << 18

  public let path: String
  private let records: Mutex<FrameBuilder>
  private let images: Mutex<FrameBuilder>
  private let sink: Mutex<FrameSink>

  /// Creates `PATH.part` with the header in it. One that is left from an earlier recording is renamed to
  /// `PATH.part.old`; one that is being written is an error.
  ///
  /// With `compressesImagesWell` copies take a sixth less and their compression five times as long: worth it for symbol
  /// tables, not for whole files.
  /// - Parameter patience: bytes of frames that wait in memory for room when the disk is full; without, that is an error at once.
  public init(
    path: String, header: SegmentHeader, compressesImagesWell: Bool = false, patience: Int = 0
  ) throws(TraceError) {
    self.path = path
    var file = try SegmentFile(creating: Self.partialPath(path))
    let payload = header.encoded()
    var frame = ByteWriter(capacity: payload.count + 8)
    frame.write(FrameMagic.header)
    frame.write(UInt32(payload.count))
    frame.append(payload)
    do throws(SystemCallError) { try file.append(frame.bytes.borrowedBytes) } catch {
      // Safe: the string outlives the call.
      _ = unsafe unlink(Self.partialPath(path))
      throw .notWritten(path: file.path, cause: error, samples: 0)
    }
    sink = Mutex(FrameSink(file, header: header, patience: patience))
    records = Mutex(try FrameBuilder(level: Self.recordLevel))
    images = Mutex(try FrameBuilder(level: compressesImagesWell ? Self.smallImageLevel : Self.imageLevel))
  }

  /// What a segment is called while it is being written.
  public static func partialPath(_ path: String) -> String { path + ".part" }

  /// Bytes in the file now.
  public var byteCount: UInt64 { sink.withLock { $0.file.end } }

  /// Bytes that wait for room on the disk, and the samples in them.
  public var unwritten: (byteCount: Int, samples: UInt64) { sink.withLock { ($0.waitingByteCount, $0.waitingSampleCount) } }

  /// Takes `record` in; it is in the file after the next `flush()` at the latest.
  public func append(_ record: TraceRecord) throws(TraceError) {
    switch record {
    case .imageChunk(let chunk): try append(chunk)
    case .imageEnd(let end): try append(end)
    default: try append(opened: record.value)
    }
  }

  private func append(opened record: some SegmentRecord) throws(TraceError) { try append(record) }

  /// Takes `record` in without making it a `TraceRecord` first.
  public func append<Record: SegmentRecord>(_ record: Record) throws(TraceError) {
    try records.withLock { (builder) throws(TraceError) in
      try Self.add(record, image: .kernel, to: &builder) { (built) throws(TraceError) in try self.write(built) }
    }
  }

  /// Takes part of an image's copy in. Several threads may do so; each image's chunks come in frames of their own.
  public func append(_ chunk: ImageChunkRecord) throws(TraceError) {
    try images.withLock { (builder) throws(TraceError) in
      try Self.add(chunk, image: chunk.image, to: &builder) { (built) throws(TraceError) in try self.write(built) }
      if builder.byteCount >= Self.fullByteCount { try write(builder.finish()) }
    }
  }

  /// Writes the chunks that wait, then takes `end` in, so that it never comes before them.
  public func append(_ end: ImageEndRecord) throws(TraceError) {
    try flushImages()
    try records.withLock { (builder) throws(TraceError) in
      try Self.add(end, image: .kernel, to: &builder) { (built) throws(TraceError) in try self.write(built) }
    }
  }

  /// Adds `record`, in parts when it is larger than a frame, handing full frames to `write`.
  static func add<Record: SegmentRecord>(
    _ record: Record, image: ImageHandle, to builder: inout FrameBuilder,
    write: (consuming BuiltFrame) throws(TraceError) -> Void
  ) throws(TraceError) {
    do throws(TraceError) {
      if try builder.add(record, image: image) { return }
    } catch {
      guard case .recordTooLarge = error, let (first, second) = record.halves() else { throw error }
      try add(first, image: image, to: &builder, write: write)
      return try add(second, image: image, to: &builder, write: write)
    }
    try write(builder.finish())
    _ = try builder.add(record, image: image)
  }

  private func write(_ built: consuming BuiltFrame, usingReserve: Bool = false) throws(TraceError) {
    let built = built
    try sink.withLock { (sink) throws(TraceError) in try sink.append(built, usingReserve: usingReserve) }
  }

  private func flushImages() throws(TraceError) {
    try images.withLock { (builder) throws(TraceError) in
      if !builder.isEmpty { try write(builder.finish()) }
    }
  }

  /// Writes what waits as whole frames.
  /// - Throws: `notWritten` when the disk is full and there is no patience left: what was given last is lost, what was written
  ///   before stays.
  public func flush() throws(TraceError) {
    try flushImages()
    try records.withLock { (builder) throws(TraceError) in
      if !builder.isEmpty { try write(builder.finish()) }
    }
    sink.withLock { (sink) in
      // What has no room yet is tried again the next time.
      if sink.waitingByteCount > 0 { try? sink.appendWaiting() }
    }
  }

  /// Writes what waits, the index and the trailer, and gives the file its name; an earlier file of that name is
  /// renamed to `PATH.old`. Nothing may be appended afterwards.
  /// - Throws: `notWritten` when the disk is full; it may be tried again.
  public func close() throws(TraceError) {
    // Chunks that wait have no end record, so their copy would not be used.
    images.withLock { $0.discard() }
    try records.withLock { (builder) throws(TraceError) in
      if !builder.isEmpty { try write(builder.finish(), usingReserve: true) }
    }
    try sink.withLock { (sink) throws(TraceError) in
      try sink.appendWaiting(usingReserve: true)
      try sink.close(isClosed: true)
    }
    do throws(SystemCallError) {
      try SegmentFile.setAside(path)
      try SegmentFile.rename(Self.partialPath(path), to: path)
    } catch { throw .system(error) }
  }

  /// Takes the file back: for a recording that never began.
  public func discard() {
    // Safe: the string outlives the call. The file may be gone already, which is as well.
    _ = unsafe unlink(Self.partialPath(path))
  }
}
