import Base
import Synchronization

/// The code of units as their first entries have it, or else as their functions do.
enum UnitRanges {
  /// Nothing of a file that takes more than the budget.
  static func read(
    _ sections: DebugSections, _ headers: [UnitHeader], workers: Int, _ budget: WorkBudget, isWanted: (Int) -> Bool
  ) -> [AddressMap.Entry] {
    let groups = groups(headers, isWanted: isWanted)
    // Lists do not overlap, so there are fewer ranges than the sections have bytes; a file that has one list read again and
    // again is hostile, and none of its units is believed.
    let limit = maximumCount(sections)
    let total = Mutex(0)
    let parts = parallelMap(count: groups.count, workers: workers) { number -> [AddressMap.Entry] in
      let group = groups[number]
      guard !budget.isSpent else { return [] }
      let spans = sections.spans
      let format = headers[group.units[0]].format
      let table = AbbreviationTable(spans.abbreviations, at: group.start, format, end: group.end)
      budget.spend(table.byteCount)
      var entries: [AddressMap.Entry] = []
      for index in group.units {
        guard !budget.isSpent else { return [] }
        let found = ranges(Unit(headers[index], table, spans), table, spans, budget)
        let isWithinLimit = total.withLock { count in
          count += found.count
          return count <= limit
        }
        guard isWithinLimit else { return [] }
        for range in found {
          entries.append(AddressMap.Entry(start: range.start, end: range.end, unit: Int32(index)))
        }
      }
      return entries
    }
    return !budget.isSpent && total.withLock { $0 <= limit } ? parts.flatMap { $0 } : []
  }

  static func maximumCount(_ sections: DebugSections) -> Int {
    let spans = sections.spans
    return spans.ranges.byteCount + spans.rangeLists.byteCount + (sections.packedInfo?.byteCount ?? spans.info.byteCount)
  }

  static func ranges(
    _ unit: Unit, _ table: AbbreviationTable, _ spans: borrowing SectionSpans, _ budget: WorkBudget
  ) -> [CodeRange] {
    budget.spend(1 + unit.attributeCount)
    guard unit.tag == .compileUnit || unit.tag == .skeletonUnit else { return [] }
    var ranges = stated(unit, spans, budget)
    if ranges.isEmpty, !unit.splitName.isPresent {
      var walk = FunctionWalk(copy spans, unit, table, targets: [], isExhaustive: false)
      ranges = walk.allCode()
      budget.spend(walk.stepCount)
    }
    return ranges
  }

  /// What the unit's first entry states alone; nothing when it states none.
  static func stated(_ unit: Unit, _ spans: borrowing SectionSpans, _ budget: WorkBudget) -> [CodeRange] {
    var ranges: [CodeRange] = []
    let byteCount = RangeLists.read(low: unit.lowPC, high: unit.highPC, list: unit.ranges, unit, spans, into: &ranges)
    budget.spend(byteCount)
    return ranges
  }

  /// Units that share a table of abbreviations.
  private struct Group: Sendable {
    var start: UInt64
    /// Where the next table starts. Tables do not overlap, so reading all of them takes no longer than the section is.
    var end: UInt64
    var units: [Int]
  }

  /// Units of one table at a time, so that several threads can take part.
  private static let maximumGroupCount = 64

  private static func groups(_ headers: [UnitHeader], isWanted: (Int) -> Bool) -> [Group] {
    let wanted = headers.indices.filter { (headers[$0].kind == .compile || headers[$0].kind == .skeleton) && isWanted($0) }
    guard !wanted.isEmpty else { return [] }
    let starts = headers.map(\.abbreviationsOffset).sorted()
    func end(_ start: UInt64) -> UInt64 {
      var (low, high) = (0, starts.count)
      while low < high {
        let middle = (low + high) / 2
        if starts[middle] <= start { low = middle + 1 } else { high = middle }
      }
      return low < starts.count ? starts[low] : .max
    }
    let order = wanted.sorted { (headers[$0].abbreviationsOffset, $0) < (headers[$1].abbreviationsOffset, $1) }
    var groups: [Group] = []
    for index in order {
      let header = headers[index]
      if let last = groups.last, last.start == header.abbreviationsOffset, headers[last.units[0]].format == header.format,
        last.units.count < max(maximumGroupCount, headers.count / 64)
      {
        groups[groups.count - 1].units.append(index)
      } else {
        groups.append(Group(start: header.abbreviationsOffset, end: end(header.abbreviationsOffset), units: [index]))
      }
    }
    return groups
  }
}
