package import Base
package import ObjectFile

/// Which file a kept table is of: its build ID where it has one, its size, and a digest.
///
/// A build ID alone does not do: a file and its debug information share one, and anybody may write one into a file.
package struct UnwindTableKey: Hashable, Sendable {
  package let buildID: BuildID?
  package let fileByteCount: UInt64
  /// Of the headers and the table of `.eh_frame_hdr`; of everything the table is built from when there is no build ID.
  package let digest: ContentDigest

  /// - Parameter elf: a file of which the headers and the notes are there, and the table of `.eh_frame_hdr`; all of `UnwindInput.extents`
  ///   when it has no build ID.
  package init(_ elf: borrowing ElfFile) {
    buildID = elf.buildID
    fileByteCount = UInt64(elf.bytes.byteCount)
    var digest = ContentDigest()
    digest.update(elf.bytes(at: FileOffset(0), UInt64(ElfHeader.maximumByteCount)))
    digest.update(
      elf.bytes(
        at: elf.header.programHeaderOffset,
        UInt64(elf.header.programHeaderByteCount) * UInt64(elf.header.programHeaderCount)))
    digest.update(
      elf.bytes(
        at: elf.header.sectionHeaderOffset,
        UInt64(elf.header.sectionHeaderByteCount) * UInt64(elf.header.sectionHeaderCount)))
    if buildID == nil {
      for extent in UnwindInput.extents(of: elf) { digest.update(elf.bytes(at: extent.fileOffset, extent.byteCount)) }
    } else {
      for segment in elf.segments where segment.kind == .ehFrameHeader {
        digest.update(elf.bytes(at: segment.fileOffset, segment.fileByteCount))
      }
    }
    self.digest = digest
  }

  /// A name no other key has, of letters, digits, `-` and at most 180 bytes.
  package var name: String {
    "\(buildID?.hex ?? "none")-\(String(fileByteCount, radix: 16))-\(digest.hex)"
  }
}

/// A fingerprint of 128 bits against mistaking one file for another; not against people who look for two with the same.
package struct ContentDigest: Hashable, Sendable {
  private var first: UInt64 = 0x243f_6a88_85a3_08d3
  private var second: UInt64 = 0x1319_8a2e_0370_7344

  package init() {}

  package mutating func update(_ bytes: RawSpan) {
    var offset = 0
    let end = bytes.byteCount
    while end - offset >= 8 {
      // Safe: eight bytes remain by the loop's condition.
      mix(UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    var rest: UInt64 = 0
    while offset < end {
      // Safe: `offset` is below the count by the loop's condition.
      rest = rest << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
      offset += 1
    }
    mix(rest)
    // What follows is not taken for a part of this.
    mix(UInt64(end) ^ 0xa409_3822_299f_31d0)
  }

  @inline(__always) private mutating func mix(_ word: UInt64) {
    first = (first ^ word) &* 0x9e37_79b9_7f4a_7c15
    first ^= first >> 32
    second = ((second << 27 | second >> 37) &+ word) &* 0xbf58_476d_1ce4_e5b9
    second ^= second >> 29
  }

  package var hex: String {
    let words = [first, second].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return words.joined()
  }
}
