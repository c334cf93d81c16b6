import Base

/// What a skeleton unit says of the file that holds the rest of it.
package struct SplitRequest: Hashable, Sendable {
  /// `DW_AT_dwo_name`: a path, mostly relative to `directory`; may hold anything.
  package var name: String
  /// `DW_AT_comp_dir` of the skeleton.
  package var directory: String
  /// What the two units have in common.
  package var id: UInt64
}

/// Where split units come from.
struct SplitSource: Sendable {
  /// The `.dwp` package beside the file.
  var package: DebugSections?
  var open: @Sendable (SplitRequest) -> (any SharedBytes)?

  /// The sections that hold the unit, and whether they are a package's.
  func sections(_ request: SplitRequest, _ budget: WorkBudget) -> (DebugSections, isPackage: Bool)? {
    if let package, PackageIndex.find(request.id, in: package.spans.unitIndex) != nil { return (package, true) }
    guard let file = open(request), let sections = try? DebugSections(file, isSplit: true, workers: 1), !sections.isEmpty
    else { return nil }
    budget.allow(file.fileNumbers, byteCount: file.bytes.byteCount)
    // It is read from its start for each unit in it.
    budget.spend(sections.inflatedByteCount)
    return (sections, false)
  }
}

/// `.debug_cu_index` of a package, version 2 of GNU and version 5 (DWARF 5, section 7.3.5.3).
struct PackageIndex {
  struct Part: Hashable {
    var offset: UInt64
    var byteCount: UInt64
  }
  var info: Part?
  var abbreviations: Part?
  var stringOffsets: Part?
  var rangeLists: Part?

  /// Slots looked at for one unit; a third of them is free, so that a few do.
  private static let maximumProbeCount = 4096

  /// Where the unit of that ID has its parts; `nil` when the package does not have it.
  static func find(_ id: UInt64, in index: RawSpan) -> PackageIndex? {
    var cursor = DwarfCursor(index)
    let version = UInt16(truncatingIfNeeded: cursor.u32())
    let columnCount = Int(cursor.u32())
    let unitCount = Int(cursor.u32())
    let slotCount = Int(cursor.u32())
    guard !cursor.hasFailed, version == 2 || version == 5, slotCount > 0, slotCount & (slotCount - 1) == 0,
      slotCount <= index.byteCount / 12, columnCount <= 16, unitCount <= slotCount
    else { return nil }
    let rows = 16 + slotCount * 8
    let columns = rows + slotCount * 4
    let mask = UInt64(slotCount - 1)
    var slot = id & mask
    let step = (id &>> 32) & mask | 1
    for _ in 0..<min(slotCount, maximumProbeCount) {
      var signature = DwarfCursor(index, from: 16 + Int(slot) * 8)
      var row = DwarfCursor(index, from: rows + Int(slot) * 4)
      let number = Int(row.u32())
      if number == 0 { return nil }
      if signature.u64() == id {
        guard number <= unitCount else { return nil }
        return parts(index, version, columns, columnCount: columnCount, unitCount: unitCount, row: number)
      }
      slot = (slot &+ step) & mask
    }
    return nil
  }

  private static func parts(
    _ index: RawSpan, _ version: UInt16, _ columns: Int, columnCount: Int, unitCount: Int, row: Int
  ) -> PackageIndex? {
    var result = PackageIndex()
    let rowByteCount = columnCount * 4
    var names = DwarfCursor(index, from: columns)
    var offsets = DwarfCursor(index, from: columns + rowByteCount * row)
    var sizes = DwarfCursor(index, from: columns + rowByteCount * (unitCount + row))
    for _ in 0..<columnCount {
      let part = Part(offset: UInt64(offsets.u32()), byteCount: UInt64(sizes.u32()))
      switch names.u32() {
      case 1: result.info = part
      case 3: result.abbreviations = part
      case 6: result.stringOffsets = part
      case 8 where version == 5: result.rangeLists = part
      default: break
      }
    }
    return names.hasFailed || offsets.hasFailed || sizes.hasFailed ? nil : result
  }
}

extension SectionSpans {
  /// The sections of a split unit: its entries from `split`, its addresses from the main file.
  @_lifetime(copy split, copy main)
  init(split: SectionSpans, main: SectionSpans, isPackage: Bool, id: UInt64) {
    var spans = split
    spans.addresses = main.addresses
    spans.ranges = main.ranges
    if isPackage, let parts = PackageIndex.find(id, in: split.unitIndex) {
      if let part = parts.info { spans.info = split.info.slice(part.offset, part.byteCount) }
      if let part = parts.abbreviations { spans.abbreviations = split.abbreviations.slice(part.offset, part.byteCount) }
      if let part = parts.stringOffsets { spans.stringOffsets = split.stringOffsets.slice(part.offset, part.byteCount) }
      if let part = parts.rangeLists { spans.rangeLists = split.rangeLists.slice(part.offset, part.byteCount) }
    }
    self = spans
  }
}
