package import Base

/// A parsed view of an ELF file whose bytes lie in memory: header, segments, and sections with their names.
///
/// A section header table that is damaged does not stop the rest from being read: `sections` is then empty and
/// `sectionProblem` says why. Copies the headers only; everything else is a view of the bytes.
package struct ElfFile: ~Escapable {
  /// The whole file.
  package let bytes: RawSpan
  package let header: ElfHeader
  package let segments: [ElfSegment]
  /// By their index in the file, the null section 0 included; empty when there are no section headers.
  package let sections: [ElfSection]
  package let sectionProblem: MalformedInput?
  package let layout: ImageLayout
  private let nameTableIndex: Int

  /// Section names are cut here.
  static let maximumSectionNameByteCount = 4096
  /// Of all notes together; a file has a few hundred bytes of them.
  static let maximumNoteByteCount: UInt64 = 1 << 20

  /// - Throws: `MalformedInput` when the header or the program headers cannot be read.
  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan) throws(MalformedInput) {
    self.bytes = bytes
    var cursor = ByteCursor(bytes)
    header = try ElfHeader(&cursor)
    var sections: [ElfSection] = []
    var problem: MalformedInput?
    var section0: ElfSection?
    do throws(MalformedInput) {
      if header.sectionHeaderOffset.rawValue != 0 {
        try cursor.seek(to: header.sectionHeaderOffset.rawValue, "e_shoff")
        // A file may have a table offset and no entries.
        if cursor.remaining > 0 || header.sectionHeaderCount > 0 {
          section0 = try ElfSection(&cursor, header.fileClass)
        }
      }
      let table = try ElfTableExtents.sections(header, section0: section0)
      if table.count > 0 {
        try cursor.seek(to: table.offset.rawValue, "e_shoff")
        sections = try ElfSection.entries(
          try cursor.take(table.byteCount, "section header table"), count: table.count, stride: table.stride, header.fileClass)
      }
    } catch {
      problem = error
      section0 = nil
    }
    self.sections = sections
    sectionProblem = problem
    nameTableIndex = ElfTableExtents.sectionNameTableIndex(header, section0: section0)

    let table = try ElfTableExtents.segments(header, section0: section0)
    if table.count > 0 {
      try cursor.seek(to: table.offset.rawValue, "e_phoff")
      segments = try ElfSegment.entries(
        try cursor.take(table.byteCount, "program header table"), count: table.count, stride: table.stride, header.fileClass)
    } else {
      segments = []
    }
    layout = ImageLayout(segments)
  }

  /// The name of the section at `index`, without its NUL; empty when there is none to be read.
  @_lifetime(copy self)
  package func sectionName(_ index: Int) -> RawSpan {
    guard sections.indices.contains(index), sections.indices.contains(nameTableIndex) else { return empty }
    return string(at: UInt64(sections[index].nameOffset), in: fileBytes(sections[nameTableIndex]))
  }

  /// The first section of that name, and its index.
  package func section(named name: StaticString) -> (index: Int, section: ElfSection)? {
    guard sections.indices.contains(nameTableIndex) else { return nil }
    let names = fileBytes(sections[nameTableIndex])
    for (index, section) in sections.enumerated() where Self.isString(at: UInt64(section.nameOffset), in: names, equalTo: name) {
      return (index, section)
    }
    return nil
  }

  /// The first section of that kind, and its index.
  package func section(of kind: ElfSection.Kind) -> (index: Int, section: ElfSection)? {
    for (index, section) in sections.enumerated() where section.kind == kind { return (index, section) }
    return nil
  }

  /// What the section holds in the file, compressed if it is; empty for `SHT_NOBITS`.
  /// - Throws: `MalformedInput` when it reaches past the end of the file.
  @_lifetime(copy self)
  package func contents(of section: ElfSection) throws(MalformedInput) -> RawSpan {
    if section.kind == .noBits { return empty }
    var cursor = ByteCursor(bytes)
    try cursor.seek(to: section.fileOffset.rawValue, "sh_offset")
    return try cursor.take(section.byteCount, "section contents")
  }

  /// What of the range lies in the file.
  @_lifetime(copy self)
  package func bytes(at offset: FileOffset, _ byteCount: UInt64) -> RawSpan {
    guard let start = Int(exactly: offset.rawValue), start <= bytes.byteCount else { return empty }
    let count = min(Int(clamping: byteCount), bytes.byteCount - start)
    return bytes.extracting(start..<(start + count))
  }

  /// The bytes the file has for the image addresses from `address` on, at most `byteCount` and within one segment.
  @_lifetime(copy self)
  package func bytes(at address: ImageAddress, _ byteCount: UInt64) -> RawSpan {
    for segment in layout.segments {
      if let distance = address.distance(from: segment.address), distance < segment.fileByteCount,
        let offset = segment.fileOffset.adding(distance)
      {
        return bytes(at: offset, min(byteCount, segment.fileByteCount - distance))
      }
    }
    return empty
  }

  /// The build ID; `nil` when no note holds one.
  package var buildID: BuildID? {
    var left = Self.maximumNoteByteCount
    for segment in segments where segment.kind == .note && segment.fileByteCount <= left {
      left -= segment.fileByteCount
      let notes = bytes(at: segment.fileOffset, segment.fileByteCount)
      if let found = ElfNotes.buildID(in: notes, alignment: segment.alignment) { return found }
    }
    for section in sections where section.kind == .note && section.byteCount <= left {
      left -= section.byteCount
      if let found = ElfNotes.buildID(in: fileBytes(section), alignment: section.alignment) { return found }
    }
    return nil
  }

  @_lifetime(copy self)
  func fileBytes(_ section: ElfSection) -> RawSpan {
    section.kind == .noBits ? empty : bytes(at: section.fileOffset, section.byteCount)
  }

  private var empty: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(0..<0) }
  }

  /// The bytes up to the NUL of the string at `offset` of `table`; empty past its end.
  @_lifetime(copy self)
  private func string(at offset: UInt64, in table: RawSpan) -> RawSpan {
    guard let start = Int(exactly: offset), start < table.byteCount else { return empty }
    var end = start
    let limit = min(table.byteCount, start + Self.maximumSectionNameByteCount)
    while end < limit, table.byte(at: end) != 0 { end += 1 }
    let found = table.extracting(start..<end)
    // Safe: `table` is a part of `bytes`, which lives as long as this view.
    return unsafe _overrideLifetime(found, copying: self)
  }

  private static func isString(at offset: UInt64, in table: RawSpan, equalTo name: StaticString) -> Bool {
    let count = name.utf8CodeUnitCount
    guard let start = Int(exactly: offset), start < table.byteCount, count < table.byteCount - start else { return false }
    guard table.byte(at: start + count) == 0 else { return false }
    for index in 0..<count {
      // Safe: `index` is below the string's own count.
      guard unsafe table.byte(at: start + index) == name.utf8Start[index] else { return false }
    }
    return true
  }
}
