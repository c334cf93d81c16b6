import Base

/// Which unit holds which code: ranges in ascending order that do not overlap.
struct AddressMap: Sendable {
  struct Entry: Sendable {
    var start: UInt64
    var end: UInt64
    var unit: Int32
  }
  private var entries: [Entry] = []

  init() {}

  /// Where ranges overlap, the one that starts last has the addresses, of those that start together the shortest, and of equal
  /// ones the first unit: a linker that keeps one of several copies of a function keeps the first, and the other units'
  /// descriptions may be of other instructions.
  init(_ unordered: [Entry]) {
    let sorted = unordered.sorted {
      if $0.start != $1.start { return $0.start < $1.start }
      if $0.end != $1.end { return $0.end > $1.end }
      return $0.unit > $1.unit
    }
    entries.reserveCapacity(sorted.count)
    /// What covers the place reached, innermost last; each ends before the one below it.
    var open: [(end: UInt64, unit: Int32)] = []
    var place: UInt64 = 0
    func fill(upTo limit: UInt64) {
      while let top = open.last, place < limit {
        let end = min(top.end, limit)
        if end > place {
          if let last = entries.last, last.end == place, last.unit == top.unit {
            entries[entries.count - 1].end = end
          } else {
            entries.append(Entry(start: place, end: end, unit: top.unit))
          }
          place = end
        }
        if top.end <= place { open.removeLast() } else { break }
      }
      place = max(place, limit)
    }
    for entry in sorted where entry.end > entry.start {
      fill(upTo: entry.start)
      while let top = open.last, top.end <= entry.end { open.removeLast() }
      open.append((entry.end, entry.unit))
    }
    fill(upTo: .max)
  }

  var isEmpty: Bool { entries.isEmpty }

  var byteCount: Int { entries.count * MemoryLayout<Entry>.stride }

  /// The parts of `range` that are the unit's, ascending; `from` as below.
  /// - Returns: the entries that were looked at, `limit` at most: parts behind them are left out.
  func parts(of range: CodeRange, in unit: Int32, from: inout Int, limit: Int, _ body: (CodeRange) -> Void) -> Int {
    _ = self.unit(at: range.start, from: &from)
    var index = from
    while index < entries.count, index - from < limit, entries[index].start < range.end {
      let entry = entries[index]
      let (start, end) = (max(entry.start, range.start), min(entry.end, range.end))
      if entry.unit == unit, start < end { body(CodeRange(start: start, end: end)) }
      index += 1
    }
    return index - from
  }

  /// The unit at an address; `from` is where the last search ended, and moves on.
  func unit(at address: UInt64, from: inout Int) -> Int32? {
    if from >= entries.count || entries[from].start > address { from = 0 }
    // Mostly the same or a near one.
    var low = from
    var step = 1
    while low + step < entries.count, entries[low + step].start <= address {
      low += step
      step *= 2
    }
    var high = min(entries.count, low + step)
    while low + 1 < high {
      let middle = (low + high) / 2
      if entries[middle].start <= address { low = middle } else { high = middle }
    }
    from = low
    guard low < entries.count, entries[low].start <= address, address < entries[low].end else { return nil }
    return entries[low].unit
  }
}

/// `.debug_aranges` (DWARF 5, section 6.1.2).
struct AddressRangeTable {
  /// One unit's ranges; a unit may have several sets.
  struct Set {
    /// Bytes into `.debug_info`.
    var unitStart: Int
    /// Into `ranges`.
    var ranges: Range<Int>
  }
  private(set) var sets: [Set] = []
  private(set) var ranges: [CodeRange] = []

  init(_ section: RawSpan) {
    var outer = DwarfCursor(section)
    while !outer.isAtEnd {
      let start = outer.position
      var length = UInt64(outer.u32())
      var offsetSize = 4
      if length == 0xffff_ffff {
        length = outer.u64()
        offsetSize = 8
      }
      guard !outer.hasFailed, length <= UInt64(outer.remaining) else { break }
      let end = outer.position + Int(length)
      var cursor = DwarfCursor(section, from: outer.position, to: end)
      outer.seek(to: end)
      let version = cursor.u16()
      let unitOffset = cursor.number(size: offsetSize)
      let addressSize = Int(cursor.u8())
      let segmentSize = cursor.u8()
      guard !cursor.hasFailed, version == 2, segmentSize == 0, addressSize == 8 || addressSize == 4,
        let place = Int(exactly: unitOffset)
      else { continue }
      // Pairs are aligned to their own size, from the start of the set.
      let pair = addressSize * 2
      cursor.skip((pair - (cursor.position - start) % pair) % pair)
      let first = ranges.count
      while !cursor.isAtEnd {
        let address = cursor.number(size: addressSize)
        let byteCount = cursor.number(size: addressSize)
        if cursor.hasFailed { break }
        // A pair of zeros ends the set; where the linker left out code there is one in the middle, so the length decides.
        let (end, overflow) = address.addingReportingOverflow(byteCount)
        if byteCount > 0, !overflow { ranges.append(CodeRange(start: address, end: end)) }
      }
      sets.append(Set(unitStart: place, ranges: first..<ranges.count))
    }
  }

  /// The ranges of every set whose unit is in the list, and by unit whether it has a set.
  func entries(of headers: [UnitHeader]) -> (entries: [AddressMap.Entry], isCovered: [Bool]) {
    var entries: [AddressMap.Entry] = []
    var isCovered = [Bool](repeating: false, count: headers.count)
    for set in sets {
      guard let unit = Self.unit(startingAt: set.unitStart, in: headers) else { continue }
      isCovered[unit] = true
      for range in ranges[set.ranges] {
        entries.append(AddressMap.Entry(start: range.start, end: range.end, unit: Int32(unit)))
      }
    }
    return (entries, isCovered)
  }

  /// The numbers of the sets, by the unit they belong to.
  var setsByUnit: [Int: [Int]] {
    var found: [Int: [Int]] = [:]
    for index in sets.indices { found[sets[index].unitStart, default: []].append(index) }
    return found
  }

  private static func unit(startingAt place: Int, in headers: [UnitHeader]) -> Int? {
    var low = 0
    var high = headers.count
    while low < high {
      let middle = (low + high) / 2
      if headers[middle].start < place { low = middle + 1 } else { high = middle }
    }
    return low < headers.count && headers[low].start == place ? low : nil
  }
}
