import CZlib

/// RFC 1952 in memory, with the same bytes for the same input: no time, no name in the header.
package enum Gzip {
  /// Whether `bytes` begin as a gzip file does.
  package static func isGzip(_ bytes: [UInt8]) -> Bool { bytes.count >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b }

  /// 15 bits of window, and 16 for the gzip wrapping.
  private static let windowBits: Int32 = 15 + 16

  /// - Parameters:
  ///   - level: 1 is fastest; on profiles 6 takes twice the time to save a tenth.
  package static func compress(_ bytes: [UInt8], level: Int32 = 1) -> [UInt8] {
    var stream = unsafe z_stream()
    let ready = unsafe deflateInit2_(
      &stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(ready == Z_OK, "zlib: no memory")
    defer { unsafe deflateEnd(&stream) }
    let bound = Int(unsafe deflateBound(&stream, UInt(bytes.count)))
    return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, filled in
      unsafe bytes.withUnsafeBufferPointer { input in
        var taken = 0
        while true {
          let offered = min(input.count - taken, Int(UInt32.max))
          let room = min(output.count - filled, Int(UInt32.max))
          // Safe: zlib reads `offered` bytes from `taken` and writes `room` from `filled`, both inside their buffers.
          unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.advanced(by: taken))
          unsafe stream.avail_in = UInt32(offered)
          unsafe stream.next_out = output.baseAddress?.advanced(by: filled)
          unsafe stream.avail_out = UInt32(room)
          let last = taken + offered == input.count
          let state = unsafe deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH)
          taken += offered - Int(unsafe stream.avail_in)
          filled += room - Int(unsafe stream.avail_out)
          if state == Z_STREAM_END { return }
          precondition(state == Z_OK, "deflateBound gave too little room")
        }
      }
    }
  }

  /// What was compressed, of all members one after another.
  /// - Throws: `ProfileError.gzip` for damage or a missing end, `.overLimit` above `limit` bytes.
  package static func decompress(_ bytes: [UInt8], limit: Int) throws(ProfileError) -> [UInt8] {
    var stream = unsafe z_stream()
    let ready = unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(ready == Z_OK, "zlib: no memory")
    defer { unsafe inflateEnd(&stream) }
    var all: [UInt8] = []
    // The usual ratio is 5; a small bomb gets no more than it earns.
    all.reserveCapacity(min(limit, bytes.count * 5))
    var piece = [UInt8](repeating: 0, count: min(max(bytes.count, 4096), 1 << 18))
    var taken = 0
    while true {
      var state: Int32 = Z_OK
      var produced = 0
      unsafe bytes.withUnsafeBufferPointer { input in
        unsafe piece.withUnsafeMutableBufferPointer { output in
          let offered = min(input.count - taken, Int(UInt32.max))
          // Safe: zlib reads `offered` bytes from `taken` and writes at most the whole of `output`.
          unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.advanced(by: taken))
          unsafe stream.avail_in = UInt32(offered)
          unsafe stream.next_out = output.baseAddress
          unsafe stream.avail_out = UInt32(output.count)
          unsafe state = inflate(&stream, Z_NO_FLUSH)
          taken += offered - Int(unsafe stream.avail_in)
          produced = output.count - Int(unsafe stream.avail_out)
        }
      }
      guard all.count + produced <= limit else { throw .overLimit(what: "bytes when decompressed", limit: limit) }
      all.append(contentsOf: piece[..<produced])
      switch state {
      case Z_STREAM_END:
        if taken == bytes.count { return all }
        guard unsafe inflateReset(&stream) == Z_OK else { throw .gzip("cannot go on after the first member") }
      case Z_OK: continue
      case Z_BUF_ERROR where produced == 0 && taken == bytes.count: throw .gzip("it ends early")
      case Z_BUF_ERROR: continue
      case Z_NEED_DICT: throw .gzip("it needs a dictionary")
      default: throw .gzip("bad data near byte \(taken)")
      }
    }
  }
}
