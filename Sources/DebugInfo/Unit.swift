import Base

/// What a unit's first entry says, and how its values are resolved.
struct Unit {
  let header: UnitHeader
  var tag = Tag(0)
  var language: UInt64 = 0
  var lowPC: FormValue = .absent
  var highPC: FormValue = .absent
  var ranges: FormValue = .absent
  var name: FormValue = .absent
  var compilationDirectory: FormValue = .absent
  var statementList: UInt64?
  /// `DW_AT_dwo_name` of a skeleton.
  var splitName: FormValue = .absent
  var splitID: UInt64
  /// `DW_AT_low_pc` resolved; what range lists start from.
  var base: UInt64 = 0
  var stringOffsetsBase: UInt64
  var addressBase: UInt64 = 0
  var rangeListsBase: UInt64
  /// Added to offsets into `.debug_ranges`: 0 but in a split unit of version 4.
  var rangesBase: UInt64 = 0
  /// Of its first entry.
  private(set) var attributeCount = 0
  /// `DW_AT_GNU_ranges_base` of a skeleton: the `rangesBase` of its split unit, not its own.
  var splitRangesBase: UInt64 = 0

  init(_ header: UnitHeader, _ table: AbbreviationTable, _ spans: borrowing SectionSpans) {
    self.header = header
    splitID = header.splitID
    let isNew = header.format.version >= 5
    // In a split file nothing says where the tables start: behind their headers. Headers of `.debug_str_offsets` and `.debug_rnglists` (DWARF 5, sections 7.26 and 7.28).
    let wide = header.format.offsetSize == 8
    stringOffsetsBase = isNew ? (wide ? 16 : 8) : 0
    rangeListsBase = isNew ? (wide ? 20 : 12) : 0
    var cursor = DwarfCursor(spans.info, from: header.firstEntry, to: header.end)
    let index = table.index(of: cursor.uleb())
    guard index >= 0 else { return }
    let entry = table.entries[index]
    tag = entry.tag
    attributeCount = Int(entry.specCount)
    for spec in table.specs[Int(entry.firstSpec)..<Int(entry.firstSpec + entry.specCount)] {
      let value = cursor.value(spec.form, constant: spec.constant, header.format)
      if cursor.hasFailed { break }
      switch spec.attribute {
      case .language: language = value.number
      case .lowPC: lowPC = value
      case .highPC: highPC = value
      case .ranges: ranges = value
      case .name: name = value
      case .compilationDirectory: compilationDirectory = value
      case .statementList: statementList = value.sectionOffset
      case .splitName, .gnuSplitName: splitName = value
      case .gnuSplitID: splitID = value.number
      case .stringOffsetsBase: stringOffsetsBase = value.number
      case .addressBase, .gnuAddressBase: addressBase = value.number
      case .rangeListsBase: rangeListsBase = value.number
      case .gnuRangesBase: splitRangesBase = value.number
      default: break
      }
    }
    base = address(lowPC, spans) ?? 0
  }

  /// What an address or an index of one stands for.
  @inline(__always) func address(_ value: FormValue, _ spans: borrowing SectionSpans) -> UInt64? {
    if value.kind == .address { return value.number }
    guard value.kind == .addressIndex else { return nil }
    return address(index: value.number, spans)
  }

  func address(index: UInt64, _ spans: borrowing SectionSpans) -> UInt64? {
    let size = UInt64(header.format.addressSize)
    let (bytes, overflow) = index.multipliedReportingOverflow(by: size)
    guard !overflow, let place = Int(exactly: bytes.addingReportingOverflow(addressBase).partialValue) else { return nil }
    var cursor = DwarfCursor(spans.addresses, from: place)
    let address = cursor.number(size: Int(size))
    return cursor.hasFailed ? nil : address
  }

  /// The text of a string in any form; empty when its table does not have it.
  @_lifetime(copy spans)
  func text(_ value: FormValue, _ spans: SectionSpans) -> RawSpan {
    switch value.kind {
    case .string: return ElfText.string(at: value.number, in: spans.strings)
    case .inlineString: return ElfText.string(at: value.number, in: spans.info)
    case .lineString: return ElfText.string(at: value.number, in: spans.lineStrings)
    case .alternateString: return ElfText.string(at: value.number, in: spans.alternateStrings)
    case .stringIndex:
      let size = Int(header.format.offsetSize)
      let (bytes, overflow) = value.number.multipliedReportingOverflow(by: UInt64(size))
      guard !overflow, let place = Int(exactly: bytes.addingReportingOverflow(stringOffsetsBase).partialValue) else { break }
      var cursor = DwarfCursor(spans.stringOffsets, from: place)
      let offset = cursor.number(size: size)
      if !cursor.hasFailed { return ElfText.string(at: offset, in: spans.strings) }
    default: break
    }
    return spans.info.extracting(0..<0)
  }
}

/// Strings that end with a NUL.
enum ElfText {
  /// A longer name is cut here.
  static let maximumByteCount = 1 << 17

  @_lifetime(copy table)
  static func string(at offset: UInt64, in table: RawSpan) -> RawSpan {
    guard offset < UInt64(table.byteCount) else { return table.extracting(0..<0) }
    let start = Int(offset)
    let limit = start + min(maximumByteCount, table.byteCount - start)
    return table.extracting(start..<(table.firstIndex(of: 0, in: start..<limit) ?? limit))
  }
}
