import Base

/// Gives an encoded pprof another start without decoding the rest of it.
enum PprofTime {
  /// Every top-level field of `message` as it is, except `time_nanos`, which becomes `nanoseconds` and goes last.
  static func replacing(in message: [UInt8], with nanoseconds: Int64) throws(ProfileError) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(message.count + 11)
    do {
      // Safe: bytes have no padding between them.
      var reader = ProtobufReader(unsafe message.span.bytes)
      // Everything from here to the next `time_nanos` is copied in one go.
      var copied = 0
      var start = 0
      while let tag = try reader.next() {
        try reader.skip(tag)
        if tag.number == PprofField.Profile.timeNanos {
          out.append(contentsOf: message[copied..<start])
          copied = reader.offset
        }
        start = reader.offset
      }
      out.append(contentsOf: message[copied...])
    } catch { throw .malformed(error) }
    var writer = ProtobufWriter()
    writer.integer(PprofField.Profile.timeNanos, nanoseconds)
    return out + writer.bytes
  }
}
