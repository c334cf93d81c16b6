import Base

/// A run of code, `end` not included; `end` is above `start`.
struct CodeRange: Hashable, Sendable {
  var start: UInt64
  var end: UInt64
}

/// The code of an entry: `DW_AT_low_pc` with `DW_AT_high_pc`, or `DW_AT_ranges` (DWARF 5, section 2.17).
enum RangeLists {
  /// Ranges of one entry; a linked program of one unit has some ten thousand.
  static let maximumCount = 1 << 20

  /// Puts the entry's ranges into `ranges`, which is emptied first.
  /// - Returns: the bytes of the list that were read.
  @discardableResult
  static func read(
    low: FormValue, high: FormValue, list: FormValue, _ unit: Unit, _ spans: borrowing SectionSpans,
    into ranges: inout [CodeRange]
  ) -> Int {
    ranges.removeAll(keepingCapacity: true)
    if list.isPresent {
      if unit.header.format.version >= 5 {
        return place(of: list, unit, spans).map { readNew(at: $0, unit, spans, &ranges) } ?? 0
      }
      guard let offset = list.sectionOffset else { return 0 }
      return readOld(at: offset.addingReportingOverflow(unit.rangesBase).partialValue, unit, spans, &ranges)
    }
    guard let start = unit.address(low, spans), high.isPresent else { return 0 }
    let end = unit.address(high, spans) ?? start.addingReportingOverflow(high.number).partialValue
    if end > start { ranges.append(CodeRange(start: start, end: end)) }
    return 0
  }

  private static func place(of list: FormValue, _ unit: Unit, _ spans: borrowing SectionSpans) -> UInt64? {
    guard list.kind == .rangeListIndex else { return list.sectionOffset }
    let size = UInt64(unit.header.format.offsetSize)
    let (bytes, overflow) = list.number.multipliedReportingOverflow(by: size)
    guard !overflow, let at = Int(exactly: bytes.addingReportingOverflow(unit.rangeListsBase).partialValue) else { return nil }
    var cursor = DwarfCursor(spans.rangeLists, from: at)
    let offset = cursor.number(size: Int(size))
    return cursor.hasFailed ? nil : offset.addingReportingOverflow(unit.rangeListsBase).partialValue
  }

  /// `.debug_ranges` (DWARF 4, section 2.17.3).
  private static func readOld(
    at offset: UInt64, _ unit: Unit, _ spans: borrowing SectionSpans, _ ranges: inout [CodeRange]
  ) -> Int {
    guard let place = Int(exactly: offset) else { return 0 }
    var cursor = DwarfCursor(spans.ranges, from: place)
    let size = Int(unit.header.format.addressSize)
    let highest: UInt64 = size == 8 ? .max : (1 &<< UInt64(size * 8)) &- 1
    var base = unit.base
    while ranges.count < maximumCount {
      let first = cursor.number(size: size)
      let second = cursor.number(size: size)
      if cursor.hasFailed || (first == 0 && second == 0) { break }
      if first == highest {
        base = second
      } else if second > first {
        append(base &+ first, base &+ second, &ranges)
      }
    }
    return max(0, cursor.position - place)
  }

  /// `.debug_rnglists` (DWARF 5, section 7.25).
  private static func readNew(
    at offset: UInt64, _ unit: Unit, _ spans: borrowing SectionSpans, _ ranges: inout [CodeRange]
  ) -> Int {
    guard let place = Int(exactly: offset) else { return 0 }
    var cursor = DwarfCursor(spans.rangeLists, from: place)
    let size = Int(unit.header.format.addressSize)
    var base = unit.base
    list: while !cursor.isAtEnd, ranges.count < maximumCount {
      switch cursor.u8() {
      case 0: break list  // DW_RLE_end_of_list
      case 1: base = unit.address(index: cursor.uleb(), spans) ?? 0  // DW_RLE_base_addressx
      case 2:  // DW_RLE_startx_endx
        let start = unit.address(index: cursor.uleb(), spans)
        let end = unit.address(index: cursor.uleb(), spans)
        if let start, let end { append(start, end, &ranges) }
      case 3:  // DW_RLE_startx_length
        let start = unit.address(index: cursor.uleb(), spans)
        let length = cursor.uleb()
        if let start { append(start, start &+ length, &ranges) }
      case 4:  // DW_RLE_offset_pair
        let start = cursor.uleb()
        let end = cursor.uleb()
        append(base &+ start, base &+ end, &ranges)
      case 5: base = cursor.number(size: size)  // DW_RLE_base_address
      case 6:  // DW_RLE_start_end
        let start = cursor.number(size: size)
        let end = cursor.number(size: size)
        append(start, end, &ranges)
      case 7:  // DW_RLE_start_length
        let start = cursor.number(size: size)
        let length = cursor.uleb()
        append(start, start &+ length, &ranges)
      default: break list
      }
    }
    return max(0, cursor.position - place)
  }

  @inline(__always) private static func append(_ start: UInt64, _ end: UInt64, _ ranges: inout [CodeRange]) {
    if end > start { ranges.append(CodeRange(start: start, end: end)) }
  }
}
