import Base
import CZlib

/// RFC 1952 in memory, with the same bytes for the same input: no time, no name in the header.
package enum Gzip {
  /// Whether `bytes` begin as a gzip file does.
  package static func isGzip(_ bytes: [UInt8]) -> Bool { bytes.count >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b }

  /// 15 bits of window, and 16 for the gzip wrapping.
  private static let windowBits: Int32 = 15 + 16

  /// Bytes that are compressed for themselves. Fixed, so that what comes out does not depend on how many cores took part.
  private static let pieceBytes = 512 * 1024

  /// - Parameters:
  ///   - level: 1 is fastest; on profiles 6 takes twice the time to save a tenth.
  package static func compress(_ bytes: [UInt8], level: Int32 = 1) -> [UInt8] {
    let count = max(1, (bytes.count + pieceBytes - 1) / pieceBytes)
    let pieces = parallelMap(count: count, workers: count) { index in
      let start = index * pieceBytes
      return deflatePiece(bytes, start..<min(start + pieceBytes, bytes.count), isLast: index == count - 1, level: level)
    }
    // Deflate, no flags, no time, fastest or none of the hints, no operating system.
    var all: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level == 1 ? 4 : 0, 0xff]
    all.reserveCapacity(pieces.reduce(18) { $0 + $1.count })
    for piece in pieces { all += piece }
    for field in [CRC32.of(bytes.borrowedBytes), UInt32(truncatingIfNeeded: bytes.count)] {
      for shift: UInt32 in [0, 8, 16, 24] { all.append(UInt8(truncatingIfNeeded: field >> shift)) }
    }
    return all
  }

  /// A piece as raw deflate blocks that end on a byte, so that pieces can be put behind one another (RFC 1951, 3.2.3).
  private static func deflatePiece(_ bytes: [UInt8], _ range: Range<Int>, isLast: Bool, level: Int32) -> [UInt8] {
    var stream = unsafe z_stream()
    let ready = unsafe deflateInit2_(
      &stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(ready == Z_OK, "zlib: no memory")
    defer { unsafe deflateEnd(&stream) }
    // The bound is for one finished stream; a flush adds an empty block.
    let bound = Int(unsafe deflateBound(&stream, UInt(range.count))) + 16
    return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, filled in
      unsafe bytes.withUnsafeBufferPointer { input in
        // Safe: zlib reads the piece's bytes and writes at most `bound`, both inside their buffers.
        unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.advanced(by: range.lowerBound))
        unsafe stream.avail_in = UInt32(range.count)
        unsafe stream.next_out = output.baseAddress
        unsafe stream.avail_out = UInt32(bound)
        let state = unsafe deflate(&stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
        precondition(state == (isLast ? Z_STREAM_END : Z_OK), "deflateBound gave too little room")
        filled = bound - Int(unsafe stream.avail_out)
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
