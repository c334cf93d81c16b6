package import Base
import CDeflate
import CZstd

/// The contents of a compressed section, not yet inflated: with `SHF_COMPRESSED` (System V gABI, chapter 4, "Section
/// Compression"; zlib and zstd), or named `.zdebug_…` as GNU tools did before that.
package struct ElfCompressedSection: ~Escapable {
  enum Method { case zlib, zstd }

  /// Bytes it inflates to.
  package let byteCount: Int
  let method: Method
  let packed: RawSpan
  /// Bytes before the packed ones.
  private let headerByteCount: Int

  /// - Throws: `MalformedInput` for a method that is not known or a size above the limits.
  @_lifetime(copy contents)
  package init(_ contents: RawSpan, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) {
    var cursor = ByteCursor(contents)
    let type: UInt32 = try cursor.read("ch_type")
    switch type {
    case 1: method = .zlib
    case 2: method = .zstd
    default: throw MalformedInput(field: "ch_type", offset: FileOffset(0), problem: .unsupported(value: UInt64(type)))
    }
    if fileClass == .elf64 { try cursor.skip(4, "ch_reserved") }
    let sizeOffset = FileOffset(UInt64(cursor.offset))
    let size = try cursor.readWord("ch_size", fileClass)
    _ = try cursor.readWord("ch_addralign", fileClass)
    headerByteCount = cursor.offset
    packed = try cursor.take(cursor.remaining, "compressed data")
    byteCount = try Self.checked(size, packed, "ch_size", sizeOffset)
  }

  /// - Parameter contents: of a `.zdebug_…` section: `ZLIB`, the size in 8 bytes, most significant first, and a zlib stream.
  @_lifetime(copy contents)
  package init(gnu contents: RawSpan) throws(MalformedInput) {
    var cursor = ByteCursor(contents)
    let magic: UInt32 = try cursor.read(".zdebug magic")
    guard magic == 0x4249_4c5a else {
      throw MalformedInput(field: ".zdebug magic", offset: FileOffset(0), problem: .unsupported(value: UInt64(magic)))
    }
    let size: UInt64 = try cursor.read(".zdebug size")
    method = .zlib
    headerByteCount = cursor.offset
    packed = try cursor.take(cursor.remaining, "compressed data")
    byteCount = try Self.checked(size.byteSwapped, packed, ".zdebug size", FileOffset(4))
  }

  private static func checked(
    _ size: UInt64, _ packed: RawSpan, _ field: String, _ offset: FileOffset
  ) throws(MalformedInput) -> Int {
    let limit = min(ElfCompression.maximumByteCount, (UInt64(packed.byteCount) + 64) * ElfCompression.maximumRatio)
    guard size <= limit, let count = Int(exactly: size) else {
      throw MalformedInput(field: field, offset: offset, problem: .overLimit(value: size, limit: limit))
    }
    return count
  }

  /// Inflates to exactly `byteCount` bytes, the size of `buffer`.
  /// - Throws: `MalformedInput` when the data is damaged; the buffer then holds anything.
  package func inflate(into buffer: UnsafeMutableRawBufferPointer) throws(MalformedInput) {
    precondition(buffer.count == byteCount)
    let isWhole =
      switch method {
      case .zlib: unsafe Self.inflateZlib(packed, into: buffer)
      case .zstd: unsafe Self.inflateZstd(packed, into: buffer)
      }
    guard isWhole else { throw damaged }
  }

  var damaged: MalformedInput {
    MalformedInput(
      field: "compressed data", offset: FileOffset(UInt64(headerByteCount)),
      problem: .inconsistent("does not inflate to the \(byteCount) bytes its header states"))
  }

  private static func inflateZstd(_ packed: RawSpan, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    // Safe: zstd reads and writes within the two buffers by the counts it is given.
    unsafe packed.withUnsafeBytes { input in
      unsafe ZSTD_decompress(buffer.baseAddress, buffer.count, input.baseAddress, input.count) == buffer.count
    }
  }

  /// libdeflate, since the size is known: it takes less than half of zlib's time.
  private static func inflateZlib(_ packed: RawSpan, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard let decompressor = unsafe libdeflate_alloc_decompressor() else { return false }
    defer { unsafe libdeflate_free_decompressor(decompressor) }
    // Safe: libdeflate reads and writes within the two buffers by the counts it is given.
    return unsafe packed.withUnsafeBytes { input in
      // Without a place for the size it fails unless the buffer is filled.
      unsafe libdeflate_zlib_decompress(
        decompressor, input.baseAddress, input.count, buffer.baseAddress, buffer.count, nil) == LIBDEFLATE_SUCCESS
    }
  }
}

/// Compressed sections as arrays.
package enum ElfCompression {
  /// No zlib stream does better than about 1,032 to 1, and debug information is far from that in any method.
  package static let maximumRatio: UInt64 = 1_040
  /// The most bytes one section may become.
  package static let maximumByteCount: UInt64 = 4 << 30

  /// The bytes of a section with `SHF_COMPRESSED`, inflated.
  /// - Throws: `MalformedInput` for a method that is not known, a size above the limits, or damaged data.
  package static func inflate(_ contents: RawSpan, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) -> [UInt8] {
    let section = try ElfCompressedSection(contents, fileClass)
    var problem: MalformedInput?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: section.byteCount) { buffer, filled in
      do throws(MalformedInput) {
        // Safe: exactly the bytes asked for, and all of them are written when nothing is thrown.
        unsafe try section.inflate(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: section.byteCount))
        filled = section.byteCount
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return bytes
  }
}

extension ElfFile {
  /// A section's contents as an array of their own, inflated when they are compressed.
  package func inflatedContents(of section: ElfSection) throws(MalformedInput) -> [UInt8] {
    let contents = try contents(of: section)
    return section.isCompressed ? try ElfCompression.inflate(contents, header.fileClass) : contents.copied()
  }
}
