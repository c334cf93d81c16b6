package import Base

/// The entries of the dynamic section that lead to symbols (System V gABI, chapter 5, "Dynamic Section").
///
/// All values are image addresses or counts as the file states them; what a file leaves out is `nil`.
package struct ElfDynamicSection: Hashable, Sendable {
  package var symbols: ImageAddress?
  package var strings: ImageAddress?
  package var stringsByteCount: UInt64?
  package var hash: ImageAddress?
  package var gnuHash: ImageAddress?
  package var versions: ImageAddress?
  /// `DT_JMPREL`: the relocations of `.plt`.
  package var pltRelocations: ImageAddress?
  package var pltRelocationsByteCount: UInt64?
  /// `DT_RELA`: all others.
  package var relocations: ImageAddress?
  package var relocationsByteCount: UInt64?

  /// More entries than any linker writes.
  static let maximumEntryCount = 4096
  /// More symbols than fit the 32-bit indices of a hash table's chains are not read.
  static let maximumSymbolCount: UInt64 = 1 << 24

  init(_ bytes: RawSpan, _ fileClass: ElfHeader.FileClass) {
    var cursor = ByteCursor(bytes)
    do throws(MalformedInput) {
      for _ in 0..<Self.maximumEntryCount {
        let tag = try cursor.readWord("d_tag", fileClass)
        let value = try cursor.readWord("d_val", fileClass)
        switch tag {
        case 0: return
        case 2: pltRelocationsByteCount = value
        case 4: hash = ImageAddress(value)
        case 5: strings = ImageAddress(value)
        case 6: symbols = ImageAddress(value)
        case 7: relocations = ImageAddress(value)
        case 8: relocationsByteCount = value
        case 10: stringsByteCount = value
        case 23: pltRelocations = ImageAddress(value)
        case 0x6fff_fef5: gnuHash = ImageAddress(value)
        case 0x6fff_fff0: versions = ImageAddress(value)
        default: break
        }
      }
    } catch {
      // The section ends without DT_NULL: what stood before counts.
    }
  }

  /// Where the dynamic symbols and their names lie in the file; their number stands in a hash table only.
  func symbolTable(in file: borrowing ElfFile) -> (entries: (FileOffset, UInt64), strings: (FileOffset, UInt64))? {
    guard let symbols, let strings, let stringsByteCount,
      let symbolsOffset = file.layout.fileOffset(of: symbols), let stringsOffset = file.layout.fileOffset(of: strings),
      let count = symbolCount(in: file), count <= Self.maximumSymbolCount
    else { return nil }
    let size = UInt64(ElfSymbolTable.byteCount(file.header.fileClass))
    return ((symbolsOffset, count * size), (stringsOffset, stringsByteCount))
  }

  private func symbolCount(in file: borrowing ElfFile) -> UInt64? {
    if let hash {
      // nbucket, nchain: there is a chain entry for each symbol.
      var cursor = ByteCursor(file.bytes(at: hash, 8))
      do throws(MalformedInput) {
        try cursor.skip(4, "nbucket")
        return UInt64(try cursor.read("nchain", as: UInt32.self))
      } catch {
        // Fall through to the other table.
      }
    }
    guard let gnuHash else { return nil }
    return Self.symbolCount(gnuHash: file.bytes(at: gnuHash, .max), file.header.fileClass)
  }

  /// One more than the highest symbol that a `DT_GNU_HASH` table reaches: the last chain runs to an entry with bit 0 set.
  static func symbolCount(gnuHash table: RawSpan, _ fileClass: ElfHeader.FileClass) -> UInt64? {
    var cursor = ByteCursor(table)
    do throws(MalformedInput) {
      let bucketCount: UInt32 = try cursor.read("nbuckets")
      let firstSymbol: UInt32 = try cursor.read("symoffset")
      let bloomCount: UInt32 = try cursor.read("bloom_size")
      try cursor.skip(4, "bloom_shift")
      try cursor.skip(Int(bloomCount) * (fileClass == .elf64 ? 8 : 4), "bloom")
      var last: UInt32 = 0
      for _ in 0..<bucketCount { last = max(last, try cursor.read("bucket", as: UInt32.self)) }
      guard last >= firstSymbol else { return UInt64(firstSymbol) }
      try cursor.skip(Int(last - firstSymbol) * 4, "chain")
      // Ends at the latest with the bytes.
      while try cursor.read("chain", as: UInt32.self) & 1 == 0 {
        last = last == .max ? last : last + 1
      }
      return UInt64(last) + 1
    } catch {
      return nil
    }
  }
}

extension ElfFile {
  /// The dynamic section, by its program header; `nil` for a static program or when its bytes are not in this file.
  package var dynamicSection: ElfDynamicSection? {
    for segment in segments where segment.kind == .dynamic {
      return ElfDynamicSection(bytes(at: segment.fileOffset, segment.fileByteCount), header.fileClass)
    }
    return nil
  }
}
