import Base

/// Where the two header tables of an ELF file lie, after extended numbering and checked against the limits.
///
/// Counts that do not fit 16 bits stand in section header 0 (System V gABI, chapter 4: `e_shnum` 0 → `sh_size`,
/// `e_shstrndx` 0xffff → `sh_link`; `e_phnum` 0xffff → `sh_info`).
struct ElfTableExtents {
  /// Far above any linked file's (about 40); only hostile files come near.
  static let maximumSectionCount: UInt64 = 65_536
  static let maximumSegmentCount: UInt64 = 4_096
  /// An entry longer than this is no entry of any ABI.
  static let maximumStride = 256

  struct Table {
    var offset: FileOffset
    var count: Int
    var stride: Int
    var byteCount: Int { count * stride }
  }

  /// The program header table; an empty one has count 0.
  static func segments(_ header: ElfHeader, section0: ElfSection?) throws(MalformedInput) -> Table {
    var count = UInt64(header.programHeaderCount)
    if count == 0xffff, let section0 { count = UInt64(section0.info) }
    let stride = Int(header.programHeaderByteCount)
    guard count > 0 else { return Table(offset: header.programHeaderOffset, count: 0, stride: 0) }
    guard count <= maximumSegmentCount else {
      throw MalformedInput(
        field: "e_phnum", offset: FileOffset(header.fileClass == .elf64 ? 56 : 44),
        problem: .overLimit(value: count, limit: maximumSegmentCount))
    }
    guard stride >= ElfSegment.byteCount(header.fileClass), stride <= maximumStride else {
      throw MalformedInput(
        field: "e_phentsize", offset: FileOffset(header.fileClass == .elf64 ? 54 : 42),
        problem: .unsupported(value: UInt64(stride)))
    }
    return Table(offset: header.programHeaderOffset, count: Int(count), stride: stride)
  }

  /// The section header table; an empty one has count 0.
  static func sections(_ header: ElfHeader, section0: ElfSection?) throws(MalformedInput) -> Table {
    guard header.sectionHeaderOffset.rawValue != 0 else { return Table(offset: FileOffset(0), count: 0, stride: 0) }
    var count = UInt64(header.sectionHeaderCount)
    if count == 0, let section0 { count = section0.byteCount }
    guard count > 0 else { return Table(offset: header.sectionHeaderOffset, count: 0, stride: 0) }
    guard count <= maximumSectionCount else {
      throw MalformedInput(
        field: "e_shnum", offset: FileOffset(header.fileClass == .elf64 ? 60 : 48),
        problem: .overLimit(value: count, limit: maximumSectionCount))
    }
    let stride = Int(header.sectionHeaderByteCount)
    guard stride >= ElfSection.byteCount(header.fileClass), stride <= maximumStride else {
      throw MalformedInput(
        field: "e_shentsize", offset: FileOffset(header.fileClass == .elf64 ? 58 : 46),
        problem: .unsupported(value: UInt64(stride)))
    }
    return Table(offset: header.sectionHeaderOffset, count: Int(count), stride: stride)
  }

  static func sectionNameTableIndex(_ header: ElfHeader, section0: ElfSection?) -> Int {
    if header.sectionNameTableIndex == 0xffff, let section0 { return Int(section0.link) }
    return Int(header.sectionNameTableIndex)
  }
}
