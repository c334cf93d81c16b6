import Base

/// A function, or one inlined into it, that holds at least one of the addresses asked for.
struct FunctionNode {
  /// What it is inlined into; -1 for a function of its own.
  var parent: Int32
  /// Of an inlined function the outermost one around it, itself included, that is inlined; -1 for a function of its own.
  var outermostCall: Int32 = -1
  /// The entry to take the name from.
  var origin: EntryReference
  /// Where the call stood, of inlined ones; `LineRow.noFile` and 0 for unknown.
  var callFile: UInt32 = LineRow.noFile
  var callLine: UInt32 = 0
  var callColumn: UInt32 = 0
}

/// An entry, and the file it is in.
struct EntryReference: Hashable {
  enum Place: UInt8 {
    case main
    case alternate
  }
  var place: Place
  /// Bytes into that file's `.debug_info`.
  var offset: Int
}

/// One pass over a unit's entries that finds the functions, and the inlined ones in them, at ascending addresses.
///
/// Goes past what cannot hold a function by `DW_AT_sibling`, and into functions only when their code holds an address.
struct FunctionWalk: ~Escapable {
  private let spans: SectionSpans
  private let unit: Unit
  private let table: AbbreviationTable
  private let targets: [UInt64]
  /// Goes into everything: functions may stand in types, or where no compiler known here puts them.
  private let isExhaustive: Bool
  private let entersTypes: Bool
  /// Version 2 cannot say that code is in pieces: gcc then states the first piece or none, and what is inlined further in may
  /// lie outside of it.
  private let mayLackRanges: Bool

  private(set) var nodes: [FunctionNode] = []
  /// By target: the innermost function; -1 for none.
  private(set) var owners: [Int32]
  private var ownedCount = 0

  /// What holds the entries at each depth, outermost first.
  private var holders: [Holder] = []
  private var ranges: [CodeRange] = []
  /// Runs of targets, of the entry at hand.
  private var hits: [Range<Int>] = []
  /// Attributes, bytes of range lists and addresses that may still be looked at; a unit that asks for more than its size can
  /// explain is given up.
  private var fuel: Int
  private let fuelAtStart: Int

  /// Steps that were taken, the bytes of the unit included.
  var stepCount: Int { fuelAtStart - fuel + unit.header.end - unit.header.start }

  /// Entries within entries; beyond, the unit is given up.
  private static let maximumDepth = 1 << 16

  private struct Holder {
    /// -1 outside of every function.
    var node: Int32
    /// The function of its own that all this is in.
    var root: Int32
    /// The targets that can still be met below.
    var first: Int32
    var end: Int32
  }

  @_lifetime(copy spans)
  init(_ spans: SectionSpans, _ unit: Unit, _ table: AbbreviationTable, targets: [UInt64], isExhaustive: Bool) {
    self.spans = spans
    self.unit = unit
    self.table = table
    self.targets = targets
    self.isExhaustive = isExhaustive
    entersTypes = isExhaustive || !Language.keepsCodeOutOfTypes(unit.language)
    mayLackRanges = unit.header.format.version <= 2
    owners = [Int32](repeating: -1, count: targets.count)
    fuelAtStart = 1 << 22 + 8 * (unit.header.end - unit.header.start) + 64 * targets.count
    fuel = fuelAtStart
  }

  /// Set while the code of all functions is asked for in place of targets.
  private var collected: [CodeRange]?
  /// Set when it is asked where the answers of the functions with targets change.
  private(set) var survey: CodeSurvey?

  /// As `run`, and says of every function with a target where its answers change.
  mutating func runSurveying() {
    survey = CodeSurvey()
    run()
  }

  /// The code of every function: for a unit that does not say which code is its own.
  mutating func allCode() -> [CodeRange] {
    collected = []
    run()
    return collected ?? []
  }

  private struct Facts {
    var low = FormValue.absent
    var high = FormValue.absent
    var ranges = FormValue.absent
    var origin = FormValue.absent
    var callFile = LineRow.noFile
    var callLine: UInt32 = 0
    var callColumn: UInt32 = 0
    var sibling = FormValue.absent

    var hasCode: Bool { low.isPresent || ranges.isPresent }
  }

  mutating func run() {
    let header = unit.header
    var cursor = DwarfCursor(spans.info, from: header.firstEntry, to: header.end)
    let format = header.format
    holders.append(Holder(node: -1, root: -1, first: 0, end: Int32(targets.count)))
    while !cursor.isAtEnd, holders.count < Self.maximumDepth, fuel > 0 {
      let start = cursor.position
      let code = cursor.uleb()
      if code == 0 {
        if holders.count > 1 { holders.removeLast() }
        if ownedCount == targets.count, collected == nil, survey == nil, holders[holders.count - 1].node < 0 { return }
        continue
      }
      let index = table.index(of: code)
      guard index >= 0 else { return }
      let entry = table.entries[index]
      let enters: Bool
      switch entry.role {
      case .other: enters = isExhaustive
      case .type: enters = entersTypes
      case .scope, .block: enters = true
      case .function, .inlined:
        visit(entry, at: start, &cursor, format)
        continue
      }
      if enters || !entry.hasChildren {
        skipAttributes(entry, &cursor, format)
        if entry.hasChildren { holders.append(holders[holders.count - 1]) }
      } else {
        skipTree(entry, &cursor, format)
      }
    }
  }

  /// A function or inlined function: takes its targets, and goes in only if there are some.
  private mutating func visit(_ entry: Abbreviation, at start: Int, _ cursor: inout DwarfCursor, _ format: UnitFormat) {
    let facts = facts(entry, &cursor, format)
    if cursor.hasFailed { return }
    if collected != nil {
      fuel &-= RangeLists.read(low: facts.low, high: facts.high, list: facts.ranges, unit, spans, into: &ranges)
      collected?.append(contentsOf: ranges)
      if entry.hasChildren { skipChildren(sibling: facts.sibling, &cursor, format) }
      return
    }
    let holder = holders[holders.count - 1]
    let isInlined = entry.role == .inlined && holder.node >= 0
    hits.removeAll(keepingCapacity: true)
    if survey != nil, entry.role == .function, holder.node >= 0, facts.hasCode {
      // Whether it is met depends on what else is asked for.
      survey?.isUnsound = true
      if holder.end == 0 {
        if entry.hasChildren { skipChildren(sibling: facts.sibling, &cursor, format) }
        return
      }
    }
    // A function inside of another has code of its own.
    let window = isInlined && !mayLackRanges ? Int(holder.first)..<Int(holder.end) : 0..<targets.count
    if facts.hasCode { findHits(facts, in: window) }
    if !isInlined, ownedCount > 0 { leaveOutOwned() }
    if survey != nil, facts.hasCode {
      fuel &-= RangeLists.read(low: facts.low, high: facts.high, list: facts.ranges, unit, spans, into: &ranges)
      survey?.note(ranges, isInlined: isInlined, isHit: !hits.isEmpty)
    }
    guard !hits.isEmpty else {
      guard entry.hasChildren else { return }
      if isInlined, mayLackRanges || !facts.hasCode {
        let node = add(facts, at: start, parent: holder.node)
        holders.append(Holder(node: node, root: holder.root, first: holder.first, end: holder.end))
      } else if isInlined, survey != nil {
        // No target is below, but places where answers change.
        holders.append(Holder(node: holder.node, root: holder.root, first: 0, end: 0))
      } else if isExhaustive {
        holders.append(holder)
      } else {
        skipChildren(sibling: facts.sibling, &cursor, format)
      }
      return
    }
    let node = add(facts, at: start, parent: isInlined ? holder.node : -1)
    let root = isInlined ? holder.root : node
    var first = targets.count
    var end = 0
    for run in hits {
      first = min(first, run.lowerBound)
      end = max(end, run.upperBound)
      for target in run {
        // Of an address that is not its function's it says nothing, but where that cannot say what its code is.
        if isInlined, !mayLackRanges, owners[target] < root { continue }
        if owners[target] < 0 { ownedCount += 1 }
        owners[target] = node
      }
    }
    if entry.hasChildren { holders.append(Holder(node: node, root: root, first: Int32(first), end: Int32(end))) }
  }

  /// Where functions overlap the first has the addresses, whatever else is asked for.
  private mutating func leaveOutOwned() {
    guard hits.contains(where: { run in run.contains { owners[$0] >= 0 } }) else { return }
    let runs = hits
    hits.removeAll(keepingCapacity: true)
    for run in runs {
      for target in run where owners[target] < 0 {
        if let last = hits.last, last.upperBound == target {
          hits[hits.count - 1] = last.lowerBound..<(target + 1)
        } else {
          hits.append(target..<(target + 1))
        }
      }
    }
  }

  private mutating func add(_ facts: Facts, at start: Int, parent: Int32) -> Int32 {
    // An inlined function is an instance of its origin; one of its own may have a name of its own beside.
    let origin = parent >= 0 ? EntryReference(facts.origin, in: unit.header) : nil
    let number = Int32(nodes.count)
    var outermostCall: Int32 = -1
    if parent >= 0 {
      let around = nodes[Int(parent)].outermostCall
      outermostCall = around < 0 ? number : around
    }
    nodes.append(
      FunctionNode(
        parent: parent, outermostCall: outermostCall, origin: origin ?? EntryReference(place: .main, offset: start),
        callFile: facts.callFile, callLine: facts.callLine, callColumn: facts.callColumn))
    return number
  }

  @inline(__always) private mutating func facts(
    _ entry: Abbreviation, _ cursor: inout DwarfCursor, _ format: UnitFormat
  ) -> Facts {
    // Attributes may take no bytes.
    fuel &-= 1 &+ Int(entry.specCount)
    var facts = Facts()
    for index in Int(entry.firstSpec)..<Int(entry.firstSpec + entry.specCount) {
      let spec = table.specs[index]
      switch spec.attribute {
      case .lowPC: facts.low = cursor.value(spec.form, constant: spec.constant, format)
      case .highPC: facts.high = cursor.value(spec.form, constant: spec.constant, format)
      case .ranges: facts.ranges = cursor.value(spec.form, constant: spec.constant, format)
      case .abstractOrigin: facts.origin = cursor.value(spec.form, constant: spec.constant, format)
      case .callFile: facts.callFile = cursor.value(spec.form, constant: spec.constant, format).small
      case .callLine: facts.callLine = cursor.value(spec.form, constant: spec.constant, format).small
      case .callColumn: facts.callColumn = cursor.value(spec.form, constant: spec.constant, format).small
      case .sibling: facts.sibling = cursor.value(spec.form, constant: spec.constant, format)
      default: cursor.skip(spec, format)
      }
    }
    return facts
  }

  private mutating func findHits(_ facts: Facts, in window: Range<Int>) {
    if !facts.ranges.isPresent, let low = unit.address(facts.low, spans) {
      let high = unit.address(facts.high, spans) ?? (facts.high.isPresent ? low &+ facts.high.number : low)
      addHits(low, high, in: window)
      return
    }
    fuel &-= RangeLists.read(low: facts.low, high: facts.high, list: facts.ranges, unit, spans, into: &ranges)
    for range in ranges { addHits(range.start, range.end, in: window) }
  }

  @inline(__always) private mutating func addHits(_ start: UInt64, _ end: UInt64, in window: Range<Int>) {
    let first = lowerBound(start, window)
    guard first < window.upperBound, targets[first] < end else { return }
    let last = lowerBound(end, first..<window.upperBound)
    fuel &-= last - first
    hits.append(first..<last)
  }

  @inline(__always) private func lowerBound(_ address: UInt64, _ window: Range<Int>) -> Int {
    var low = window.lowerBound
    var high = window.upperBound
    while low < high {
      let middle = (low &+ high) &>> 1
      if targets[middle] < address { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  @inline(__always) private mutating func skipAttributes(
    _ entry: Abbreviation, _ cursor: inout DwarfCursor, _ format: UnitFormat
  ) {
    if entry.byteCount >= 0 { return cursor.skip(Int(entry.byteCount)) }
    fuel &-= Int(entry.specCount)
    for index in Int(entry.firstSpec)..<Int(entry.firstSpec + entry.specCount) { cursor.skip(table.specs[index], format) }
  }

  /// Goes past an entry that has children, and past them.
  private mutating func skipTree(_ entry: Abbreviation, _ cursor: inout DwarfCursor, _ format: UnitFormat) {
    let start = cursor.position
    if entry.siblingOffset >= 0 {
      cursor.skip(Int(entry.siblingOffset))
      let target = unit.header.start + Int(cursor.u32())
      // Only forward, so that the walk ends.
      if target > cursor.position { return cursor.seek(to: target) }
      cursor.seek(to: start)
    }
    skipChildren(sibling: facts(entry, &cursor, format).sibling, &cursor, format)
  }

  private mutating func skipChildren(sibling: FormValue, _ cursor: inout DwarfCursor, _ format: UnitFormat) {
    if let target = siblingPlace(sibling), target > cursor.position { return cursor.seek(to: target) }
    var depth = 1
    while depth > 0, !cursor.isAtEnd {
      guard fuel > 0 else { return cursor.fail() }
      let code = cursor.uleb()
      if code == 0 {
        depth -= 1
        continue
      }
      let index = table.index(of: code)
      guard index >= 0 else { return cursor.fail() }
      let entry = table.entries[index]
      guard entry.hasChildren else {
        skipAttributes(entry, &cursor, format)
        continue
      }
      let place = siblingPlace(facts(entry, &cursor, format).sibling)
      if let place, place > cursor.position { cursor.seek(to: place) } else { depth += 1 }
    }
  }

  private func siblingPlace(_ value: FormValue) -> Int? {
    guard value.kind == .unitReference, let distance = Int(exactly: value.number), distance < unit.header.end else { return nil }
    return unit.header.start + distance
  }
}

extension EntryReference {
  /// `nil` when the value refers to nothing.
  init?(_ value: FormValue, in header: UnitHeader) {
    guard let number = Int(exactly: value.number) else { return nil }
    switch value.kind {
    case .unitReference:
      guard number < header.end - header.start else { return nil }
      self.init(place: .main, offset: header.start + number)
    case .fileReference: self.init(place: .main, offset: number)
    case .alternateReference: self.init(place: .alternate, offset: number)
    default: return nil
    }
  }
}
