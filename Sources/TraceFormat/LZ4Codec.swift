import Base
import CLZ4

/// Makes standard LZ4 frames: independent blocks, block and content checksums, and the content's size.
@safe struct LZ4Compressor: ~Copyable {
  private let context: OpaquePointer
  private var preferences = LZ4F_preferences_t()

  /// `level` as in the `lz4` command: 1 is fast, from 3 on it looks for the best match.
  init(level: Int32) throws(TraceError) {
    var created: OpaquePointer?
    // Safe: `created` outlives the call.
    let code = unsafe LZ4F_createCompressionContext(&created, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(code) == 0, let made = unsafe created else { throw .compression("no memory") }
    unsafe context = made
    preferences.frameInfo.blockMode = LZ4F_blockIndependent
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
    preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
    preferences.compressionLevel = level
    preferences.autoFlush = 1
  }

  deinit { _ = unsafe LZ4F_freeCompressionContext(context) }

  /// Appends one frame that holds `content`, which is not empty, to `output`.
  func appendFrame(_ content: RawSpan, to output: inout [UInt8]) throws(TraceError) {
    var preferences = preferences
    preferences.frameInfo.contentSize = UInt64(content.byteCount)
    // The smallest block that takes the content whole: a reader allocates a buffer of a block's size.
    preferences.frameInfo.blockSizeID =
      switch content.byteCount {
      case ...(64 << 10): LZ4F_max64KB
      case ...(256 << 10): LZ4F_max256KB
      default: LZ4F_max1MB
      }
    let bound = unsafe Int(LZ4F_HEADER_SIZE_MAX) + LZ4F_compressBound(content.byteCount, &preferences)
    var failure = 0
    // Safe: every call is told how much room is left, and the pointers do not leave the closure.
    let frame = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, filled in
      func take(_ code: Int) -> Bool {
        if LZ4F_isError(code) != 0 { failure = code } else { filled += code }
        return failure == 0
      }
      unsafe content.withUnsafeBytes { source in
        guard take(unsafe LZ4F_compressBegin(context, buffer.baseAddress, bound, &preferences)) else { return }
        let body = unsafe LZ4F_compressUpdate(
          context, buffer.baseAddress?.advanced(by: filled), bound - filled, source.baseAddress, source.count, nil)
        guard take(body) else { return }
        _ = take(unsafe LZ4F_compressEnd(context, buffer.baseAddress?.advanced(by: filled), bound - filled, nil))
      }
    }
    guard failure == 0 else { throw .compression(Self.name(failure)) }
    output += frame
  }

  private static func name(_ code: Int) -> String {
    guard let text = unsafe LZ4F_getErrorName(code) else { return "error" }
    return unsafe String(cString: text)
  }
}

/// Reads standard LZ4 frames back, all checksums checked.
@safe struct LZ4Decompressor: ~Copyable, @unchecked Sendable {
  // `@unchecked Sendable`: the context is used by one task at a time, because only a mutating method touches it.
  private let context: OpaquePointer

  init() throws(TraceError) {
    var created: OpaquePointer?
    // Safe: `created` outlives the call.
    let code = unsafe LZ4F_createDecompressionContext(&created, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(code) == 0, let made = unsafe created else { throw .compression("no memory") }
    unsafe context = made
  }

  deinit { _ = unsafe LZ4F_freeDecompressionContext(context) }

  /// The content of `frame`, which must be one whole frame of `contentByteCount` bytes and nothing after it.
  ///
  /// `contentByteCount` has been held to `Limits.frameContentByteCount`. `nil` when anything is wrong.
  mutating func content(of frame: RawSpan, contentByteCount: Int) -> [UInt8]? {
    unsafe LZ4F_resetDecompressionContext(context)
    var isWhole = false
    // Safe: the library is told the room and the length, and the pointers do not leave the closure. One byte more
    // than expected is offered, so that content that is too long shows itself.
    let content = unsafe [UInt8](unsafeUninitializedCapacity: contentByteCount + 1) { buffer, filled in
      unsafe frame.withUnsafeBytes { source in
        var consumed = 0
        while true {
          var room = contentByteCount + 1 - filled
          var length = source.count - consumed
          let hint = unsafe LZ4F_decompress(
            context, buffer.baseAddress?.advanced(by: filled), &room, source.baseAddress?.advanced(by: consumed),
            &length, nil)
          guard LZ4F_isError(hint) == 0 else { return }
          filled += room
          consumed += length
          if hint == 0 {
            isWhole = consumed == source.count
            return
          }
          guard room > 0 || length > 0 else { return }
        }
      }
    }
    return isWhole && content.count == contentByteCount ? content : nil
  }
}
