package import Base

/// What of an ELF file to copy so that it can be symbolized and unwound later without the file.
///
/// A copy keeps the file's own offsets: written sparsely, with `patches` laid over, it is an ELF file that binutils and gdb
/// read. The file may be hostile and may change meanwhile: everything is read through a closure (never mapped), every count is
/// checked against a named limit, and a file that lies gets a smaller plan and a `problem`, never a trap.
package struct ElfCopyPlan: Hashable, Sendable {
  package enum Mode: Hashable, Sendable {
    /// Headers, symbol tables, notes, unwind tables, debug links: what names and unwinding need.
    ///
    /// Of Go programs, what their inlined calls need, too.
    case symbols
    /// Every byte.
    case full
  }
  /// Bytes of the file to keep.
  package struct Extent: Hashable, Sendable {
    package var fileOffset: FileOffset
    package var byteCount: UInt64
    package init(fileOffset: FileOffset, byteCount: UInt64) {
      self.fileOffset = fileOffset
      self.byteCount = byteCount
    }
  }
  /// Bytes that stand in the copy in place of the file's own; always within the extents.
  package struct Patch: Hashable, Sendable {
    package let fileOffset: FileOffset
    package let bytes: [UInt8]
  }

  /// A section header table at most (`sh_entsize` times the section limit), and the table of section names.
  package static let maximumTableByteCount = 16 << 20
  /// Without section headers, a file up to this size is kept whole.
  package static let wholeFileByteCount: UInt64 = 4 << 20
  /// `.rela.dyn` names the stubs of `.plt.got`; a longer one is not worth its bytes.
  package static let maximumRelocationByteCount: UInt64 = 1 << 20
  /// Of `symbols` mode: sections beyond this sum are dropped, and `problem` says so.
  package static let maximumKeptByteCount: UInt64 = 1 << 30
  static let maximumNoteByteCount: UInt64 = 1 << 20
  static let maximumNoteCount = 64

  package let identification: ElfIdentification
  package let machine: ElfMachine?
  package let buildID: BuildID?
  /// Its `PT_LOAD`s, in the order of the program header table.
  package let layout: ImageLayout
  /// Sorted, not touching one another, none empty, none past the end of the file. Empty for what is no ELF file.
  package private(set) var extents: [Extent]
  package let patches: [Patch]
  /// What was wrong with the file, if anything was; the plan is good all the same.
  package let problem: MalformedInput?

  package var isELF: Bool { identification.isELF }
  /// The sum of the extents.
  package var byteCount: UInt64 { extents.reduce(0) { $0 + $1.byteCount } }

  /// Keeps `more` of the file, too; of what the limit on kept bytes has no room for, nothing.
  /// - Parameter fileByteCount: the file's size.
  package mutating func keep(_ more: [Extent], fileByteCount: UInt64) {
    let within = more.compactMap { extent -> Extent? in
      guard extent.fileOffset.rawValue < fileByteCount, extent.byteCount > 0 else { return nil }
      return Extent(fileOffset: extent.fileOffset, byteCount: min(extent.byteCount, fileByteCount - extent.fileOffset.rawValue))
    }
    let sum = within.reduce(byteCount) { $0.addingReportingOverflow($1.byteCount).partialValue }
    guard isELF, sum <= Self.maximumKeptByteCount else { return }
    extents = Draft.merged(extents + within)
  }

  /// Lays the patches over `bytes`, which were read from `fileOffset`.
  package func applyPatches(to bytes: inout [UInt8], at fileOffset: FileOffset) {
    for patch in patches {
      let start = Int(clamping: patch.fileOffset.rawValue)
      let base = Int(clamping: fileOffset.rawValue)
      let from = max(start, base)
      let end = min(start + patch.bytes.count, base + bytes.count)
      guard from < end else { continue }
      bytes.replaceSubrange((from - base)..<(end - base), with: patch.bytes[(from - start)..<(end - start)])
    }
  }

  /// - Parameters:
  ///   - byteCount: the file's size.
  ///   - read: the bytes at an offset; fewer than asked for at the end of the file.
  /// - Throws: only what `read` throws.
  package init<Failure: Error>(
    byteCount: UInt64, mode: Mode, read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) {
    let prefix = try read(FileOffset(0), ElfHeader.maximumByteCount)
    identification = ElfIdentification(prefix: prefix.borrowedBytes)
    guard identification.isELF, byteCount <= UInt64(Int64.max) else {
      (machine, buildID, layout, extents, patches, problem) = (nil, nil, ImageLayout([ImageLayout.Segment]()), [], [], nil)
      return
    }
    var draft = Draft(fileByteCount: byteCount)
    let header: ElfHeader
    do throws(MalformedInput) {
      var cursor = ByteCursor(prefix.borrowedBytes)
      header = try ElfHeader(&cursor)
    } catch {
      // Cut within its header: nothing to be had from it.
      (machine, buildID, layout, patches, problem) = (nil, nil, ImageLayout([ImageLayout.Segment]()), [], error)
      extents = mode == .full && byteCount > 0 ? [Extent(fileOffset: FileOffset(0), byteCount: byteCount)] : []
      return
    }
    machine = header.machine
    draft.keep(FileOffset(0), UInt64(header.byteCount))

    let section0 = try Self.readSection0(header, &draft, read)
    let segments = try Self.readSegments(header, section0, &draft, read)
    layout = ImageLayout(segments)
    let sections = try Self.readSections(header, section0, &draft, read)
    buildID = try Self.readBuildID(segments, sections?.entries ?? [], read)

    switch mode {
    case .full:
      extents = byteCount > 0 ? [Extent(fileOffset: FileOffset(0), byteCount: byteCount)] : []
      patches = []
    case .symbols:
      if let sections {
        let named = sections.entries.indices.map { (name: sections.name($0), section: sections.entries[$0]) }
        patches = draft.choose(header, sections, segments, try GoCopyPlan(named, header.machine, read))
      } else {
        draft.chooseWithoutSections(segments)
        patches = []
      }
      extents = draft.mergedExtents()
    }
    problem = draft.problem
  }

  /// A section header table as read: its entries, its bytes and the names.
  private struct Sections {
    var table: ElfTableExtents.Table
    var entries: [ElfSection]
    var tableBytes: [UInt8]
    var names: [UInt8]
    var nameTableIndex: Int

    /// Cut where no wanted name is longer.
    func name(_ index: Int) -> String {
      let offset = Int(entries[index].nameOffset)
      guard offset < names.count else { return "" }
      return String(decoding: names[offset..<min(names.count, offset + 64)].prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private static func readSection0<Failure: Error>(
    _ header: ElfHeader, _ draft: inout Draft, _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> ElfSection? {
    guard header.sectionHeaderOffset.rawValue != 0, header.sectionHeaderOffset.rawValue < draft.fileByteCount else { return nil }
    let bytes = try read(header.sectionHeaderOffset, ElfSection.byteCount(header.fileClass))
    do throws(MalformedInput) {
      var cursor = ByteCursor(bytes.borrowedBytes)
      return try ElfSection(&cursor, header.fileClass)
    } catch {
      draft.note(error)
      return nil
    }
  }

  private static func readSegments<Failure: Error>(
    _ header: ElfHeader, _ section0: ElfSection?, _ draft: inout Draft, _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> [ElfSegment] {
    let table: ElfTableExtents.Table
    do throws(MalformedInput) {
      table = try ElfTableExtents.segments(header, section0: section0)
    } catch {
      draft.note(error)
      return []
    }
    guard table.count > 0, table.offset.rawValue < draft.fileByteCount else { return [] }
    let bytes = try read(table.offset, table.byteCount)
    do throws(MalformedInput) {
      let entries = try ElfSegment.entries(bytes.borrowedBytes, count: table.count, stride: table.stride, header.fileClass)
      draft.keep(table.offset, UInt64(table.byteCount))
      return entries
    } catch {
      draft.note(error)
      return []
    }
  }

  private static func readSections<Failure: Error>(
    _ header: ElfHeader, _ section0: ElfSection?, _ draft: inout Draft, _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> Sections? {
    let table: ElfTableExtents.Table
    do throws(MalformedInput) {
      table = try ElfTableExtents.sections(header, section0: section0)
    } catch {
      draft.note(error)
      return nil
    }
    guard table.count > 0, table.offset.rawValue < draft.fileByteCount else { return nil }
    let bytes = try read(table.offset, table.byteCount)
    let entries: [ElfSection]
    do throws(MalformedInput) {
      entries = try ElfSection.entries(bytes.borrowedBytes, count: table.count, stride: table.stride, header.fileClass)
    } catch {
      draft.note(error)
      return nil
    }
    draft.keep(table.offset, UInt64(table.byteCount))
    let nameTableIndex = ElfTableExtents.sectionNameTableIndex(header, section0: section0)
    var names: [UInt8] = []
    if nameTableIndex > 0, nameTableIndex < entries.count, entries[nameTableIndex].kind != .noBits {
      let section = entries[nameTableIndex]
      let count = Int(min(section.byteCount, UInt64(maximumTableByteCount)))
      if section.fileOffset.rawValue < draft.fileByteCount { names = try read(section.fileOffset, count) }
    }
    return Sections(table: table, entries: entries, tableBytes: bytes, names: names, nameTableIndex: nameTableIndex)
  }

  private static func readBuildID<Failure: Error>(
    _ segments: [ElfSegment], _ sections: [ElfSection], _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> BuildID? {
    var candidates: [(FileOffset, UInt64, UInt64)] = []
    for segment in segments where segment.kind == .note {
      candidates.append((segment.fileOffset, segment.fileByteCount, segment.alignment))
    }
    for section in sections where section.kind == .note {
      candidates.append((section.fileOffset, section.byteCount, section.alignment))
    }
    for (offset, byteCount, alignment) in candidates.prefix(maximumNoteCount) where byteCount > 0 && byteCount <= maximumNoteByteCount {
      let bytes = try read(offset, Int(byteCount))
      if let found = ElfNotes.buildID(in: bytes.borrowedBytes, alignment: alignment) { return found }
    }
    return nil
  }

  /// The plan while it is made.
  private struct Draft {
    let fileByteCount: UInt64
    private var extents: [Extent] = []
    private var keptByteCount: UInt64 = 0
    private(set) var problem: MalformedInput?

    init(fileByteCount: UInt64) { self.fileByteCount = fileByteCount }

    /// The first problem is the one told.
    mutating func note(_ error: MalformedInput) {
      if problem == nil { problem = error }
    }

    /// Keeps what of the range lies within the file; false when the limit on kept bytes forbids it.
    @discardableResult
    mutating func keep(_ offset: FileOffset, _ byteCount: UInt64) -> Bool {
      guard offset.rawValue < fileByteCount, byteCount > 0 else { return true }
      let clipped = min(byteCount, fileByteCount - offset.rawValue)
      guard clipped <= ElfCopyPlan.maximumKeptByteCount - keptByteCount else {
        note(
          MalformedInput(
            field: "sh_size", offset: offset, problem: .overLimit(value: clipped, limit: ElfCopyPlan.maximumKeptByteCount)))
        return false
      }
      keptByteCount += clipped
      extents.append(Extent(fileOffset: offset, byteCount: clipped))
      return true
    }

    /// Keeps the sections that are needed and gives the section header table that says which were not.
    /// - Parameter go: sections of which parts are needed.
    mutating func choose(
      _ header: ElfHeader, _ sections: Sections, _ segments: [ElfSegment], _ go: GoCopyPlan
    ) -> [Patch] {
      var needed = [Bool](repeating: false, count: sections.entries.count)
      if sections.nameTableIndex < needed.count { needed[sections.nameTableIndex] = true }
      for (index, section) in sections.entries.enumerated() where Self.isNeeded(section, named: sections.names) {
        needed[index] = true
        // Symbol tables and version tables name their strings this way, whatever the table is called.
        let link = Int(section.link)
        if link < needed.count, sections.entries[link].kind == .stringTable { needed[link] = true }
      }
      for extent in go.extents { keep(extent.fileOffset, extent.byteCount) }
      var table = sections.tableBytes
      for (index, section) in sections.entries.enumerated() where section.kind != .null && section.kind != .noBits {
        if needed[index], keep(section.fileOffset, section.byteCount) { continue }
        if go.sections.contains(index) { continue }
        // sh_type follows sh_name in both classes; sh_flags is next, and a section without bytes is not compressed.
        let base = index * sections.table.stride
        table[base + 4] = UInt8(ElfSection.Kind.noBits.rawValue)
        table[base + 5] = 0
        table[base + 6] = 0
        table[base + 7] = 0
        table[base + 9] &= ~UInt8(ElfSection.compressedFlag >> 8)
      }
      keepSmallSegments(segments)
      return [Patch(fileOffset: sections.table.offset, bytes: table)]
    }

    /// Without section headers: all of a small file, else what is mapped and not code.
    mutating func chooseWithoutSections(_ segments: [ElfSegment]) {
      if fileByteCount <= ElfCopyPlan.wholeFileByteCount {
        keep(FileOffset(0), fileByteCount)
        return
      }
      for segment in segments where segment.kind == .load && !segment.isExecutable {
        keep(segment.fileOffset, segment.fileByteCount)
      }
      keepSmallSegments(segments)
    }

    /// What the program headers alone lead to: notes, the dynamic section, the interpreter's name, the unwind table's index.
    private mutating func keepSmallSegments(_ segments: [ElfSegment]) {
      for segment in segments {
        switch segment.kind {
        case .note, .dynamic, .interpreter: keep(segment.fileOffset, min(segment.fileByteCount, ElfCopyPlan.maximumNoteByteCount))
        case .ehFrameHeader: keep(segment.fileOffset, segment.fileByteCount)
        default: break
        }
      }
    }

    func mergedExtents() -> [Extent] { Self.merged(extents) }

    static func merged(_ extents: [Extent]) -> [Extent] {
      // A few bytes of padding cost less than an extent of their own.
      let gap: UInt64 = 64
      var merged: [Extent] = []
      for extent in extents.sorted(by: { ($0.fileOffset, $0.byteCount) < ($1.fileOffset, $1.byteCount) }) {
        if var last = merged.last {
          let end = last.fileOffset.rawValue + last.byteCount
          if extent.fileOffset.rawValue <= end + gap {
            last.byteCount = max(end, extent.fileOffset.rawValue + extent.byteCount) - last.fileOffset.rawValue
            merged[merged.count - 1] = last
            continue
          }
        }
        merged.append(extent)
      }
      return merged
    }

    private static func isNeeded(_ section: ElfSection, named names: [UInt8]) -> Bool {
      switch section.kind {
      case .symbolTable, .dynamicSymbols, .symbolSectionIndices, .dynamic, .note, .hash, .gnuHash,
        .gnuVersions, .gnuVersionDefinitions, .gnuVersionNeeds:
        return true
      default: break
      }
      let offset = Int(section.nameOffset)
      guard offset < names.count else { return false }
      // No wanted name is longer.
      let name = names[offset..<min(names.count, offset + 64)].prefix { $0 != 0 }
      if exactNames.contains(where: { name.elementsEqual($0.utf8) }) { return true }
      if prefixes.contains(where: { name.starts(with: $0.utf8) }) { return true }
      // Position-independent Go programs call it .data.rel.ro.gopclntab.
      if name.reversed().starts(with: ".gopclntab".utf8.reversed()) { return true }
      return name.elementsEqual(".rela.dyn".utf8) && section.byteCount <= ElfCopyPlan.maximumRelocationByteCount
    }

    private static let exactNames = [
      ".shstrtab", ".symtab", ".strtab", ".symtab_shndx", ".dynsym", ".dynstr",
      ".gnu_debuglink", ".gnu_debugaltlink", ".gnu_debugdata", ".eh_frame", ".eh_frame_hdr", ".debug_frame",
      ".rela.plt", ".dynamic", ".interp", ".go.buildinfo", ".PyRuntime", ".iplt",
    ]
    private static let prefixes = [".gnu.version", ".note.", ".plt"]
  }
}
