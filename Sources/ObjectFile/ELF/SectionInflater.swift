package import Base
import CZlib
import CZstd

/// Inflates a compressed section piece by piece, for those who need not have all of it at once: twice the time of
/// `ElfCompressedSection.inflate`, and a window of memory.
///
/// `@unchecked Sendable`: one thread at a time uses it, which its owner sees to.
@safe package final class SectionInflater: @unchecked Sendable {
  @safe private enum Decoder {
    /// Where it is, because zlib keeps its address.
    case zlib(UnsafeMutablePointer<z_stream>)
    case zstd(OpaquePointer)
  }
  private let decoder: Decoder
  private var consumed = 0
  private var produced = 0

  /// What a zstd stream may ask for as its window: more than any level takes.
  private static let maximumWindowBits: Int32 = 27

  /// `nil` when there is no memory for it.
  package init?(_ section: borrowing ElfCompressedSection) {
    switch section.method {
    case .zlib:
      let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
      unsafe stream.initialize(to: z_stream())
      guard unsafe inflateInit_(stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        unsafe stream.deallocate()
        return nil
      }
      decoder = unsafe .zlib(stream)
    case .zstd:
      guard let stream = unsafe ZSTD_createDStream() else { return nil }
      _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.maximumWindowBits)
      decoder = unsafe .zstd(stream)
    }
  }

  deinit {
    switch decoder {
    case .zlib(let stream):
      unsafe inflateEnd(stream)
      unsafe stream.deallocate()
    case .zstd(let stream): unsafe ZSTD_freeDStream(stream)
    }
  }

  /// Fills `buffer`, which is no larger than what is left of the section.
  /// - Parameter section: the one it was made for.
  /// - Throws: `MalformedInput` when the data is damaged or does not come to the size that its header states.
  package func next(
    _ section: borrowing ElfCompressedSection, into buffer: UnsafeMutableRawBufferPointer
  ) throws(MalformedInput) {
    guard produced + buffer.count <= section.byteCount else { throw section.damaged }
    let input = section.packed.extracting(min(consumed, section.packed.byteCount)..<section.packed.byteCount)
    let isLast = produced + buffer.count == section.byteCount
    let (taken, isWhole) =
      switch decoder {
      case .zlib(let stream): unsafe Self.inflate(stream, input, into: buffer, isLast: isLast)
      case .zstd(let stream): unsafe Self.decompress(stream, input, into: buffer)
      }
    guard isWhole else { throw section.damaged }
    consumed += taken
    produced += buffer.count
  }

  private static func inflate(
    _ stream: UnsafeMutablePointer<z_stream>, _ input: RawSpan, into buffer: UnsafeMutableRawBufferPointer, isLast: Bool
  ) -> (taken: Int, isWhole: Bool) {
    // Safe: zlib reads and writes within the two buffers by the counts it is given, which are what they have left.
    unsafe input.withUnsafeBytes { input in
      var taken = 0
      var filled = 0
      while filled < buffer.count {
        let given = min(input.count - taken, 1 << 30)
        let room = min(buffer.count - filled, 1 << 30)
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress?.advanced(by: taken).assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(given)
        unsafe stream.pointee.next_out = buffer.baseAddress?.advanced(by: filled).assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(room)
        let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        let read = given - Int(unsafe stream.pointee.avail_in)
        let made = room - Int(unsafe stream.pointee.avail_out)
        taken += read
        filled += made
        if status == Z_STREAM_END { return (taken, isLast && filled == buffer.count) }
        guard status == Z_OK, read > 0 || made > 0 else { return (taken, false) }
      }
      guard isLast else { return (taken, true) }
      // Its end, and the sum behind it, must come without another byte.
      var spare: UInt8 = 0
      return unsafe withUnsafeMutablePointer(to: &spare) { spare in
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress?.advanced(by: taken).assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(min(input.count - taken, 1 << 30))
        unsafe stream.pointee.next_out = spare
        unsafe stream.pointee.avail_out = 1
        let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        return (taken, unsafe status == Z_STREAM_END && stream.pointee.avail_out == 1)
      }
    }
  }

  private static func decompress(
    _ stream: OpaquePointer, _ input: RawSpan, into buffer: UnsafeMutableRawBufferPointer
  ) -> (taken: Int, isWhole: Bool) {
    // Safe: zstd reads and writes within the two buffers by the counts it is given.
    unsafe input.withUnsafeBytes { bytes in
      var from = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
      var to = unsafe ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      while unsafe to.pos < to.size {
        let (readBefore, madeBefore) = unsafe (from.pos, to.pos)
        let status = unsafe ZSTD_decompressStream(stream, &to, &from)
        guard ZSTD_isError(status) == 0, unsafe from.pos > readBefore || to.pos > madeBefore else {
          return (unsafe from.pos, false)
        }
      }
      return (unsafe from.pos, true)
    }
  }
}
