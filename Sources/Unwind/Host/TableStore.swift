import Base
import CRecorderABI
package import ObjectFile

/// Where in the arrays a table lies.
package final class StoredTable {
  package let table: Place
  /// The image address (>> 16) of the first page.
  package let firstImagePage: UInt64
  package let layout: ImageLayout
  fileprivate let rowExtents: [ExtentAllocator.Extent]
  fileprivate let pageExtent: ExtentAllocator.Extent
  package let rowCount: Int
  /// The sweep that last found it used.
  package fileprivate(set) var lastHit: UInt64

  package struct Place {
    package var firstPage: UInt32
    package var pageCount: UInt32
    /// As `struct pyrorec_unwind_mapping` has it.
    package var word: UInt64 { UInt64(firstPage) | UInt64(pageCount) << 32 }
  }

  fileprivate init(
    _ table: Place, firstImagePage: UInt64, layout: ImageLayout, rows: [ExtentAllocator.Extent], pages: ExtentAllocator.Extent,
    rowCount: Int, lastHit: UInt64
  ) {
    self.table = table
    self.firstImagePage = firstImagePage
    self.layout = layout
    rowExtents = rows
    pageExtent = pages
    self.rowCount = rowCount
    self.lastHit = lastHit
  }

  /// What to subtract from an address in a mapping; `nil` when the file has no code there.
  ///
  /// The kernel maps whole pages, so the first page of a mapping may hold the end of another segment: of those with code, the
  /// one that most of the mapping is of.
  package func bias(start: UInt64, end: UInt64, fileOffset: UInt64) -> UInt64? {
    let fileEnd = fileOffset &+ (end &- start)
    var best: ImageLayout.Segment?
    var most: UInt64 = 0
    for segment in layout.segments {
      let first = max(segment.fileOffset.rawValue, fileOffset)
      let last = min(segment.fileOffset.rawValue &+ segment.fileByteCount, fileEnd)
      guard first < last, last - first > most else { continue }
      most = last - first
      best = segment
    }
    guard let best else { return nil }
    let image = best.address.rawValue &+ fileOffset &- best.fileOffset.rawValue
    return start &- image &+ firstImagePage << UInt64(PYROREC_UNWIND_PAGE_BITS)
  }
}

/// The rows, pages and rules of every table that is loaded, within the budget.
///
/// Rows are shared by all processes that map a file; rules by all files. A rule once written stays: what was found by a
/// table is right after the table is put out, too.
package final class TableStore {
  private let arrays: UnwindArrays
  private var rows: ExtentAllocator
  private var pages: ExtentAllocator
  private var rules: [UnwindRule: UInt16] = [:]
  private var sweeps: UInt64 = 1
  /// Pages' rows are put together up to so many, so that a table is not one extent a page.
  private static let runRows = 8192

  package init(_ arrays: UnwindArrays) {
    self.arrays = arrays
    rows = ExtentAllocator(count: arrays.rowCapacity, boundary: UnwindArrays.chunkRows)
    pages = ExtentAllocator(count: UnwindArrays.pageCapacity)
  }

  package var freeRows: Int { rows.freeCount }
  package var ruleCount: Int { rules.count }

  /// `nil` when there is no room.
  package func load(_ table: UnwindTable) -> StoredTable? {
    let pageCount = table.pageStarts.count - 1
    guard pageCount > 0, let pageExtent = pages.take(pageCount) else { return nil }
    var extents: [ExtentAllocator.Extent] = []
    let numbers = globalNumbers(of: table)
    var before = UInt16(PYROREC_RULE_NONE.rawValue)
    var page = 0
    while page < pageCount {
      let first = Int(table.pageStarts[page])
      var last = page + 1
      while last < pageCount, Int(table.pageStarts[last + 1]) - first <= Self.runRows { last += 1 }
      let count = Int(table.pageStarts[last]) - first
      var at = 0
      if count > 0 {
        let taken = rows.take(count)
        if let taken { extents.append(taken) }
        guard let extent = taken, arrays.reach(rows: extent.end) else {
          for extent in extents { rows.give(extent) }
          pages.give(pageExtent)
          return nil
        }
        at = extent.first
      }
      for index in page..<last {
        let start = Int(table.pageStarts[index])
        let end = Int(table.pageStarts[index + 1])
        var entry = pyrorec_unwind_page()
        entry.first = UInt32(at + start - first)
        entry.before = before
        Self.setParts(of: &entry, to: table.rows[start..<end])
        put(entry, at: pageExtent.first + index)
        for row in start..<end {
          let value = table.rows[row]
          let number = numbers[Int(min(Int(value >> 16), numbers.count - 1))]
          put(row: value & 0xffff | UInt32(number) << 16, at: at + row - first)
          before = number
        }
      }
      page = last
    }
    let place = StoredTable.Place(firstPage: UInt32(pageExtent.first), pageCount: UInt32(pageCount))
    return StoredTable(
      place, firstImagePage: table.firstPage, layout: table.layout, rows: extents, pages: pageExtent,
      rowCount: table.rows.count, lastHit: sweeps)
  }

  /// The room of a table that no mapping points to and no running program may still read.
  package func free(_ table: StoredTable) {
    for extent in table.rowExtents { rows.give(extent) }
    pages.give(table.pageExtent)
  }

  private func put(_ page: pyrorec_unwind_page, at index: Int) {
    // Safe: extents lie within what the allocator was made for, which is the array's length.
    unsafe arrays.pages[index] = page
  }
  /// Notes how many of the page's rows begin before each of its parts.
  static func setParts(of page: inout pyrorec_unwind_page, to rows: ArraySlice<UInt32>) {
    let parts = Int(PYROREC_PAGE_PARTS)
    // Safe: the field is one number more than there are parts, and no index is above.
    unsafe withUnsafeMutableBytes(of: &page.starts) { bytes in
      let starts = unsafe bytes.bindMemory(to: UInt16.self)
      var count = 0
      var part = 0
      for row in rows {
        let own = (Int(row & 0xffff) * parts) >> UnwindArrays.pageBits
        while part < own {
          part += 1
          unsafe starts[part] = UInt16(clamping: count)
        }
        count += 1
      }
      while part < parts {
        part += 1
        unsafe starts[part] = UInt16(clamping: count)
      }
    }
  }
  private func put(row: UInt32, at index: Int) {
    // Safe: as above.
    unsafe arrays.rows[index] = row
  }

  /// By a table's own rule number the one that all tables share; a rule too many becomes "unsupported".
  private func globalNumbers(of table: UnwindTable) -> [UInt16] {
    var numbers = (0..<UInt16(RuleNumber.first)).map { $0 }
    numbers.reserveCapacity(numbers.count + table.rules.count + 1)
    for rule in table.rules {
      if let known = rules[rule] {
        numbers.append(known)
        continue
      }
      guard rules.count < UnwindArrays.ruleCapacity else {
        numbers.append(RuleNumber.unsupported)
        continue
      }
      let number = UInt16(rules.count)
      // Safe: below the capacity, by the line above.
      unsafe arrays.rules[Int(number)] = rule.abi
      rules[rule] = number + RuleNumber.first
      numbers.append(number + RuleNumber.first)
    }
    numbers.append(RuleNumber.unsupported)
    return numbers
  }

  // MARK: Which are used

  /// Notes which of `tables` were searched since the last sweep.
  package func sweep(_ tables: some Sequence<StoredTable>) {
    sweeps += 1
    for table in tables {
      var isHit = false
      for index in table.pageExtent.first..<table.pageExtent.end where unsafe arrays.pages[index].touched != 0 {
        unsafe arrays.pages[index].touched = 0
        isHit = true
      }
      if isHit { table.lastHit = sweeps }
    }
  }

  /// Whether the table could ever be loaded.
  package func hasRoomInAll(_ table: UnwindTable) -> Bool {
    table.rows.count <= arrays.rowCapacity && table.pageStarts.count <= UnwindArrays.pageCapacity
  }
}
