import Base

/// The magic numbers of the frames in a segment. All but the first are of LZ4's skippable kind.
enum FrameMagic {
  /// LZ4 frame format, "General Structure of LZ4 Frame format".
  static let data: UInt32 = 0x184D_2204
  static let header: UInt32 = 0x184D_2A50
  static let preamble: UInt32 = 0x184D_2A51
  static let index: UInt32 = 0x184D_2A52
  static let trailer: UInt32 = 0x184D_2A53
  /// Skippable frames of a newer version.
  static let reserved: ClosedRange<UInt32> = 0x184D_2A54...0x184D_2A5F
}

/// One data frame and what is known of it without opening it.
public struct FrameEntry: Hashable, Sendable {
  /// Of the preamble that stands before the frame.
  public var offset: UInt64
  /// Of the data frame alone.
  public var byteCount: UInt32
  public var contentByteCount: UInt32
  /// Counts the data frames of a segment from 0, so that a missing one is noticed.
  public var sequence: UInt32
  public var sampleCount: UInt32
  public var kinds: KindSet
  /// 0 for what was recorded, else the number of the stage's run that appended it.
  public var layer: UInt32
  /// The image whose chunks fill the frame; 0 for every other frame.
  public var image: ImageHandle

  var dataOffset: UInt64 { offset + UInt64(Preamble.frameByteCount) }
  /// One past the data frame.
  public var end: UInt64 { dataOffset + UInt64(byteCount) }
}

/// The small frame before each data frame: it lets a reader pass over the data unread, and find its way after damage.
enum Preamble {
  static let payloadByteCount = 36
  static let frameByteCount = 8 + payloadByteCount
  /// Of the data frame's own header, which LZ4 protects by one byte only.
  static let dataHeaderByteCount = 15
  /// What has to be read to check a preamble.
  static let checkedByteCount = frameByteCount + dataHeaderByteCount

  /// The checksum covers the first bytes of the data frame and the trace's id as well, so that a flipped bit there is
  /// noticed and a trace kept inside another one is not mistaken for it.
  static func append(_ entry: FrameEntry, dataHeader: RawSpan, traceID: [UInt8], to writer: inout ByteWriter) {
    var payload = ByteWriter(capacity: payloadByteCount)
    payload.write(entry.sequence)
    payload.write(entry.byteCount)
    payload.write(entry.contentByteCount)
    payload.write(entry.sampleCount)
    payload.write(entry.kinds.rawValue)
    payload.write(entry.layer)
    payload.write(entry.image.rawValue)
    writer.write(FrameMagic.preamble)
    writer.write(UInt32(payloadByteCount))
    writer.append(payload.bytes)
    writer.write(checksum(payload.bytes.borrowedBytes, dataHeader, traceID))
  }

  /// The entry that `frame` describes: `checkedByteCount` bytes from `offset` on. `nil` when they are anything else.
  static func read(_ frame: RawSpan, at offset: UInt64, traceID: [UInt8]) -> FrameEntry? {
    var cursor = ByteCursor(frame)
    do throws(MalformedInput) {
      guard try cursor.read("preamble.magic") == FrameMagic.preamble,
        try cursor.read("preamble.size") == UInt32(payloadByteCount)
      else { return nil }
      let fields = try cursor.take(payloadByteCount - 4, "preamble")
      let stated: UInt32 = try cursor.read("preamble.crc32")
      let dataHeader = try cursor.take(dataHeaderByteCount, "preamble.data_header")
      guard stated == checksum(fields, dataHeader, traceID) else { return nil }
      var inner = ByteCursor(fields)
      let sequence: UInt32 = try inner.read("preamble.sequence")
      let byteCount: UInt32 = try inner.read("preamble.byte_count")
      let contentByteCount: UInt32 = try inner.read("preamble.content_byte_count")
      let sampleCount: UInt32 = try inner.read("preamble.sample_count")
      let kinds = KindSet(rawValue: try inner.read("preamble.kinds"))
      let layer: UInt32 = try inner.read("preamble.layer")
      let entry = FrameEntry(
        offset: offset, byteCount: byteCount, contentByteCount: contentByteCount, sequence: sequence,
        sampleCount: sampleCount, kinds: kinds, layer: layer, image: ImageHandle(try inner.read("preamble.image")))
      return entry.isWithinLimits ? entry : nil
    } catch {
      return nil
    }
  }

  private static func checksum(_ fields: RawSpan, _ dataHeader: RawSpan, _ traceID: [UInt8]) -> UInt32 {
    var crc = CRC32()
    crc.update(fields)
    crc.update(dataHeader)
    crc.update(traceID.borrowedBytes)
    return crc.value
  }
}

extension FrameEntry {
  var isWithinLimits: Bool {
    byteCount >= UInt32(Preamble.dataHeaderByteCount) && byteCount <= UInt32(Limits.frameByteCount)
      && contentByteCount > 0 && contentByteCount <= UInt32(Limits.frameContentByteCount)
      && sampleCount <= UInt32(Limits.samplesPerFrame)
  }
}
