package import Base
import CLzma

/// `.gnu_debugdata`: an ELF file of symbols, compressed with xz, in a program that was stripped of them (Fedora's MiniDebugInfo;
/// gdb manual, "Debugging information in a special section").
package enum ElfMiniDebugInfo {
  /// What the section may become, as a multiple of its own size: symbols of real programs make 3 to 6.
  package static let maximumRatio = 64
  /// The most bytes of the decoded file, whatever the ratio allows.
  package static let maximumByteCount = 256 << 20
  /// What the decoder may take for its dictionary; `xz -9` needs 65 MiB.
  static let maximumDecoderByteCount: UInt64 = 80 << 20

  /// The decoded file.
  /// - Throws: `MalformedInput` for damaged data, or a size above the limits.
  package static func decode(_ packed: RawSpan) throws(MalformedInput) -> [UInt8] {
    let limit = min(maximumByteCount, packed.byteCount.multipliedReportingOverflow(by: maximumRatio).partialValue + 1 << 16)
    var stream = unsafe lzma_stream()
    guard unsafe lzma_stream_decoder(&stream, maximumDecoderByteCount, 0) == LZMA_OK else {
      throw problem("cannot be decoded: no memory for it")
    }
    defer { unsafe lzma_end(&stream) }
    var bytes: [UInt8] = []
    let chunk = 1 << 18
    var status = LZMA_OK
    // Safe: xz reads within `input` and writes within `buffer` by the counts it is given; neither outlives its closure.
    unsafe packed.withUnsafeBytes { input in
      unsafe stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe stream.avail_in = input.count
      while status == LZMA_OK, bytes.count <= limit {
        let part = unsafe [UInt8](unsafeUninitializedCapacity: chunk) { buffer, filled in
          unsafe stream.next_out = buffer.baseAddress
          unsafe stream.avail_out = chunk
          status = unsafe lzma_code(&stream, LZMA_FINISH)
          filled = unsafe chunk - stream.avail_out
        }
        bytes += part
      }
    }
    guard bytes.count <= limit else {
      throw MalformedInput(
        field: ".gnu_debugdata", offset: FileOffset(0), problem: .overLimit(value: UInt64(bytes.count), limit: UInt64(limit)))
    }
    guard status == LZMA_STREAM_END else { throw problem("is no whole xz stream (liblzma: \(status.rawValue))") }
    return bytes
  }

  private static func problem(_ why: String) -> MalformedInput {
    MalformedInput(field: ".gnu_debugdata", offset: FileOffset(0), problem: .inconsistent(why))
  }
}

extension ElfFile {
  /// The file of symbols inside of this one; `nil` when there is none.
  /// - Throws: `MalformedInput` when it is there and cannot be decoded.
  package func miniDebugInfo() throws(MalformedInput) -> [UInt8]? {
    guard let section = section(named: ".gnu_debugdata")?.section, section.kind != .noBits else { return nil }
    return try ElfMiniDebugInfo.decode(try contents(of: section))
  }
}
