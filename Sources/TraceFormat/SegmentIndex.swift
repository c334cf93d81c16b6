import Base

/// Where every data frame lies: written at the end, so that a reader need not walk the file.
struct SegmentIndex: Hashable, Sendable {
  var header: SegmentHeader
  /// In file order.
  var frames: [FrameEntry]

  /// The index as a skippable frame.
  func encodedFrame() -> [UInt8] {
    var payload = ByteWriter()
    payload.lengthPrefixed(header.encoded())
    payload.number(UInt64(frames.count))
    var end: UInt64 = 0
    var sequence: UInt32 = 0
    for frame in frames {
      payload.number(frame.offset &- end)
      payload.number(frame.byteCount)
      payload.number(frame.contentByteCount)
      payload.number(frame.sequence &- sequence)
      payload.number(frame.sampleCount)
      payload.number(frame.kinds.rawValue)
      payload.number(frame.layer)
      payload.handle(frame.image)
      end = frame.end
      sequence = frame.sequence &+ 1
    }
    payload.write(CRC32.of(payload.bytes.borrowedBytes))
    var writer = ByteWriter(capacity: payload.count + 8)
    writer.write(FrameMagic.index)
    writer.write(UInt32(payload.count))
    writer.append(payload.bytes)
    return writer.bytes
  }

  /// Reads the payload of an index that ends before `limit`; `nil` when its checksum or an entry does not hold.
  init?(payload: [UInt8], endingBefore limit: UInt64) {
    guard payload.count > 4 else { return nil }
    let body = payload.borrowedBytes.extracting(0..<(payload.count - 4))
    var tail = ByteCursor(payload.borrowedBytes.extracting((payload.count - 4)..<payload.count))
    do {
      guard CRC32.of(body) == (try tail.read("index.crc32")) else { return nil }
      var cursor = ByteCursor(body)
      header = try SegmentHeader(payload: cursor.data("index.header", limit: Limits.headerByteCount))
      frames = []
      let count = try cursor.count("index.frame_count", limit: Limits.indexByteCount)
      frames.reserveCapacity(count)
      var end: UInt64 = 0
      var sequence: UInt32 = 0
      for _ in 0..<count {
        let gap = try cursor.uleb128("index.gap")
        guard gap < limit else { return nil }
        var entry = FrameEntry(
          offset: end + gap, byteCount: try cursor.number("index.byte_count"),
          contentByteCount: try cursor.number("index.content_byte_count"), sequence: 0, sampleCount: 0, kinds: [],
          layer: 0, image: .kernel)
        entry.sequence = sequence &+ (try cursor.number("index.sequence", as: UInt32.self))
        entry.sampleCount = try cursor.number("index.sample_count")
        entry.kinds = KindSet(rawValue: try cursor.uleb128("index.kinds"))
        entry.layer = try cursor.number("index.layer")
        entry.image = try cursor.handle("index.image")
        guard entry.isWithinLimits, entry.end <= limit else { return nil }
        end = entry.end
        sequence = entry.sequence &+ 1
        frames.append(entry)
      }
    } catch {
      return nil
    }
  }

  init(header: SegmentHeader, frames: [FrameEntry]) {
    self.header = header
    self.frames = frames
  }
}

/// The last frame of a whole segment, of fixed size: where the index begins and where the file ends.
struct Trailer: Hashable, Sendable {
  static let magic: [UInt8] = Array("PYROTAIL".utf8)
  static let payloadByteCount = 32
  static let frameByteCount = 8 + payloadByteCount

  var indexOffset: UInt64
  /// Of the file, this trailer included.
  var totalByteCount: UInt64
  /// Whether the recorder wrote the recording to its end.
  var isClosed: Bool

  func encodedFrame() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.frameByteCount)
    writer.write(FrameMagic.trailer)
    writer.write(UInt32(Self.payloadByteCount))
    var payload = ByteWriter(capacity: Self.payloadByteCount)
    payload.append(Self.magic)
    payload.write(indexOffset)
    payload.write(totalByteCount)
    payload.write(UInt32(isClosed ? 1 : 0))
    payload.write(CRC32.of(payload.bytes.borrowedBytes))
    writer.append(payload.bytes)
    return writer.bytes
  }

  /// The trailer that `frame` holds when it ends at `end` of the file; `nil` when it is anything else.
  init?(frame: RawSpan, endingAt end: UInt64) {
    var cursor = ByteCursor(frame)
    do throws(MalformedInput) {
      guard try cursor.read("trailer.magic") == FrameMagic.trailer,
        try cursor.read("trailer.size") == UInt32(Self.payloadByteCount)
      else { return nil }
      let fields = try cursor.take(Self.payloadByteCount - 4, "trailer")
      guard try cursor.read("trailer.crc32") == CRC32.of(fields) else { return nil }
      var inner = ByteCursor(fields)
      guard try inner.take(Self.magic.count, "trailer.tag").copied() == Self.magic else { return nil }
      indexOffset = try inner.read("trailer.index_offset")
      totalByteCount = try inner.read("trailer.total_byte_count")
      isClosed = try inner.read("trailer.flags", as: UInt32.self) & 1 == 1
      guard totalByteCount == end, indexOffset < end else { return nil }
    } catch {
      return nil
    }
  }

  init(indexOffset: UInt64, totalByteCount: UInt64, isClosed: Bool) {
    self.indexOffset = indexOffset
    self.totalByteCount = totalByteCount
    self.isClosed = isClosed
  }
}
