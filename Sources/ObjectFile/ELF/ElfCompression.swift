package import Base
import CZlib

/// Compressed sections (System V gABI, chapter 4, "Section Compression"), zlib only.
package enum ElfCompression {
  /// No compressor does better than about 1,032 to 1; a section that claims more lies.
  package static let maximumRatio: UInt64 = 1_040
  /// The most bytes one section may become.
  package static let maximumByteCount: UInt64 = 4 << 30

  /// The bytes of a section with `SHF_COMPRESSED`, inflated.
  /// - Throws: `MalformedInput` for another method than zlib, a size above the limits, or damaged data.
  package static func inflate(_ contents: RawSpan, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) -> [UInt8] {
    var cursor = ByteCursor(contents)
    let type: UInt32 = try cursor.read("ch_type")
    guard type == 1 else {
      throw MalformedInput(field: "ch_type", offset: FileOffset(0), problem: .unsupported(value: UInt64(type)))
    }
    if fileClass == .elf64 { try cursor.skip(4, "ch_reserved") }
    let sizeOffset = FileOffset(UInt64(cursor.offset))
    let byteCount = try cursor.readWord("ch_size", fileClass)
    _ = try cursor.readWord("ch_addralign", fileClass)
    let packed = try cursor.take(cursor.remaining, "compressed data")
    let limit = min(maximumByteCount, (UInt64(packed.byteCount) + 64) * maximumRatio)
    guard byteCount <= limit, let count = Int(exactly: byteCount) else {
      throw MalformedInput(field: "ch_size", offset: sizeOffset, problem: .overLimit(value: byteCount, limit: limit))
    }
    guard let bytes = inflateZlib(packed, to: count) else {
      throw MalformedInput(
        field: "compressed data", offset: FileOffset(UInt64(contents.byteCount - packed.byteCount)),
        problem: .inconsistent("does not inflate to the \(count) bytes of ch_size"))
    }
    return bytes
  }

  /// `nil` unless `packed` is one zlib stream of exactly `count` bytes.
  private static func inflateZlib(_ packed: RawSpan, to count: Int) -> [UInt8]? {
    var isWhole = false
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      var stream = unsafe z_stream()
      guard unsafe inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return }
      defer { _ = unsafe inflateEnd(&stream) }
      // Safe: zlib reads within `input` and writes within `buffer` by the counts it is given; neither outlives the closure.
      unsafe packed.withUnsafeBytes { input in
        var taken = 0
        while true {
          let given = min(input.count - taken, Int(Int32.max))
          let room = min(count - filled, Int(Int32.max))
          unsafe stream.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.advanced(by: taken).assumingMemoryBound(to: Bytef.self))
          unsafe stream.avail_in = UInt32(given)
          unsafe stream.next_out = buffer.baseAddress?.advanced(by: filled)
          unsafe stream.avail_out = UInt32(room)
          let status = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
          let consumed = unsafe given - Int(stream.avail_in)
          let produced = unsafe room - Int(stream.avail_out)
          taken += consumed
          filled += produced
          if status == Z_STREAM_END {
            isWhole = filled == count
            return
          }
          if status != Z_OK || (consumed == 0 && produced == 0) { return }
        }
      }
    }
    return isWhole ? bytes : nil
  }
}

extension ElfFile {
  /// A section's contents as an array of their own, inflated when they are compressed.
  package func inflatedContents(of section: ElfSection) throws(MalformedInput) -> [UInt8] {
    let contents = try contents(of: section)
    return section.isCompressed ? try ElfCompression.inflate(contents, header.fileClass) : contents.copied()
  }
}
