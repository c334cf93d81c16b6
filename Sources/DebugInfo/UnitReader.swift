import Base

/// Reads the units of one debug file, and of its alternate file, for one worker.
struct UnitReader: ~Escapable {
  private let spans: SectionSpans
  private let alternate: SectionSpans
  fileprivate let headers: [UnitHeader]
  private let alternateHeaders: [UnitHeader]
  /// Where lines and their files are: another file's sections when the units are split ones.
  let lineSpans: SectionSpans
  /// Of split units.
  private let skeleton: Unit?
  /// What the last units refer to, with the place of the unit in its list.
  private var loaded: [UnitKey: LoadedUnit] = [:]

  private struct UnitKey: Hashable {
    var place: EntryReference.Place
    var index: Int
  }
  /// Their tables of abbreviations, of which units may share one.
  private var tables: [TableKey: AbbreviationTable] = [:]

  private struct TableKey: Hashable {
    var place: EntryReference.Place
    var offset: UInt64
    var format: UnitFormat
  }
  /// Attributes that may still be gone past for the scopes of names: a unit's own many times over, and no more.
  private var scopeFuel = 0
  let budget: WorkBudget
  /// An entry was referred to that is in none of the units.
  private(set) var lacksUnits = false
  /// Tables of units kept at a time.
  static let maximumLoadedCount = 256

  @_lifetime(copy spans, copy alternate)
  init(
    _ spans: SectionSpans, _ headers: [UnitHeader], alternate: SectionSpans, _ alternateHeaders: [UnitHeader],
    _ budget: WorkBudget
  ) {
    self.budget = budget
    lineSpans = spans
    skeleton = nil
    self.spans = spans
    self.headers = headers
    self.alternate = alternate
    self.alternateHeaders = alternateHeaders
  }

  /// For the split unit of `skeleton`, a unit of the file `main`.
  @_lifetime(copy split, copy main)
  init(split: SectionSpans, _ headers: [UnitHeader], skeleton: Unit, main: SectionSpans, _ budget: WorkBudget) {
    self.budget = budget
    spans = split
    self.headers = headers
    alternate = main
    alternateHeaders = []
    lineSpans = main
    self.skeleton = skeleton
  }

  final class LoadedUnit {
    let unit: Unit
    let table: AbbreviationTable
    init(_ unit: Unit, _ table: AbbreviationTable) {
      self.unit = unit
      self.table = table
    }
  }

  /// The unit at `index` of its file's list.
  mutating func load(_ place: EntryReference.Place, _ index: Int) -> LoadedUnit {
    let key = UnitKey(place: place, index: index)
    if let known = loaded[key] { return known }
    let header = place == .main ? headers[index] : alternateHeaders[index]
    let spans = place == .main ? spans : alternate
    let table = table(of: header, place, spans)
    var unit = Unit(header, table, spans)
    budget.spend(unit.attributeCount)
    if place == .main, let skeleton {
      unit.addressBase = skeleton.addressBase
      unit.rangesBase = skeleton.splitRangesBase
      unit.base = skeleton.base
    }
    if loaded.count >= Self.maximumLoadedCount { loaded.removeAll(keepingCapacity: true) }
    let made = LoadedUnit(unit, table)
    loaded[key] = made
    return made
  }

  private mutating func table(
    of header: UnitHeader, _ place: EntryReference.Place, _ spans: borrowing SectionSpans
  ) -> AbbreviationTable {
    let key = TableKey(place: place, offset: header.abbreviationsOffset, format: header.format)
    if let known = tables[key] { return known }
    let table = AbbreviationTable(spans.abbreviations, at: header.abbreviationsOffset, header.format)
    budget.spend(table.byteCount)
    if tables.count >= Self.maximumLoadedCount { tables.removeAll(keepingCapacity: true) }
    tables[key] = table
    return table
  }

  /// What the unit says of addresses, before names and files are looked up.
  struct Resolved {
    var nodes: [FunctionNode]
    /// By target: the innermost function, or -1.
    var owners: [Int32]
    var rows: [LineRow]
  }

  /// The frames of ascending addresses that lie in the unit at `index`.
  mutating func frames(unit index: Int, targets: [UInt64]) -> UnitFrames {
    let loaded = begin(index)
    let header = lineHeader(loaded.unit)
    let (nodes, owners, _) = functions(loaded, targets, surveying: false)
    return frames(unit: index, targets, header, Resolved(nodes: nodes, owners: owners, rows: rows(header, targets)))
  }

  /// The unit at `index`, to be asked for addresses.
  mutating func begin(_ index: Int) -> LoadedUnit {
    let loaded = load(.main, index)
    scopeFuel = 1 << 20 + 16 * (loaded.unit.header.end - loaded.unit.header.start)
    return loaded
  }

  func lineHeader(_ unit: Unit) -> LineHeader? {
    guard !budget.isSpent, let place = lineUnit(unit).statementList else { return nil }
    let header = LineHeader(lineSpans, at: place, addressSize: unit.header.format.addressSize)
    budget.spend(header?.stepCount ?? 0)
    return header
  }

  func lineUnit(_ unit: Unit) -> Unit { skeleton ?? unit }

  func rows(_ header: LineHeader?, _ targets: [UInt64]) -> [LineRow] {
    guard let header, !budget.isSpent else { return [LineRow](repeating: .none, count: targets.count) }
    budget.spend(LineProgram.stepCount(header, targets.count))
    return LineProgram.rows(header, lineSpans.line, targets)
  }

  /// The frames of what was found for `targets`.
  mutating func frames(
    unit index: Int, _ targets: [UInt64], _ header: LineHeader?, _ resolved: Resolved
  ) -> UnitFrames {
    let (nodes, owners, rows) = (resolved.nodes, resolved.owners, resolved.rows)
    var result = UnitFrames()
    result.ends.reserveCapacity(targets.count)
    var files = FileNames(header, lineUnit(load(.main, index).unit))
    var names = [NameFacts?](repeating: nil, count: nodes.count)
    var known: [EntryReference: NameFacts] = [:]
    let frameLimit = Self.freeFrames + Self.framesPerTarget * targets.count
    for target in targets.indices {
      let row = rows[target]
      var file = row.file == LineRow.noFile ? -1 : files.text(row.file, lineSpans, &result.texts)
      var line = row.line
      var column = row.column
      var node = Int(owners[target])
      if node < 0, file >= 0 {
        result.frames.append(
          UnitFrames.Frame(function: -1, file: file, line: line, column: column, startLine: 0, isInlined: false))
      }
      let first = result.frames.count
      let limit = first < frameLimit ? Self.maximumDepth : 2
      while node >= 0 {
        // Of a chain that is too long the innermost ones and the outermost are kept.
        let isLeftOut = result.frames.count - first >= limit - 1 && nodes[node].parent >= 0
        if isLeftOut { node = Int(nodes[node].outermostCall) }
        let function = nodes[node]
        defer {
          node = Int(function.parent)
          file = function.callFile == LineRow.noFile ? -1 : files.text(function.callFile, lineSpans, &result.texts)
          line = function.callLine
          column = function.callColumn
        }
        if isLeftOut { continue }
        let name: NameFacts
        if let found = names[node] {
          name = found
        } else {
          name = self.name(of: function.origin, &known, &result.texts)
          names[node] = name
        }
        result.frames.append(
          UnitFrames.Frame(
            function: name.text, file: file, line: line, column: column, startLine: name.line, isInlined: function.parent >= 0))
      }
      result.ends.append(Int32(result.frames.count))
    }
    budget.spend(textByteCount: result.texts.bytes.count)
    return result
  }

  /// The functions of the targets, and by target the innermost.
  /// - Parameter surveying: also says where the answers of the functions with targets change.
  func functions(
    _ loaded: LoadedUnit, _ targets: [UInt64], surveying: Bool
  ) -> ([FunctionNode], [Int32], CodeSurvey?) {
    var walk = FunctionWalk(spans, loaded.unit, loaded.table, targets: targets, isExhaustive: false)
    if surveying { walk.runSurveying() } else { walk.run() }
    budget.spend(walk.stepCount)
    var nodes = walk.nodes
    var owners = walk.owners
    let missing = targets.indices.filter { owners[$0] < 0 }
    guard !missing.isEmpty, !budget.isSpent else { return (nodes, owners, walk.survey) }
    // A function where none was looked for, or code of no function.
    var second = FunctionWalk(spans, loaded.unit, loaded.table, targets: missing.map { targets[$0] }, isExhaustive: true)
    second.run()
    budget.spend(second.stepCount)
    let shift = Int32(nodes.count)
    for var node in second.nodes {
      if node.parent >= 0 {
        node.parent += shift
        node.outermostCall += shift
      }
      nodes.append(node)
    }
    let found = second.owners
    for (index, target) in missing.enumerated() where found[index] >= 0 { owners[target] = found[index] + shift }
    return (nodes, owners, walk.survey)
  }

  /// Frames of one address; compilers stop far below.
  static let maximumDepth = 256
  /// Beyond these frames in a unit, an address gets two: real programs have three to fifteen.
  private static let framesPerTarget = 64
  private static let freeFrames = 1 << 16

  struct NameFacts {
    /// Into the texts; -1 for none.
    var text: Int32
    var line: UInt32
  }

  /// Entries followed from one to the next; three is the most that compilers make.
  private static let maximumHopCount = 16

  /// Follows `DW_AT_abstract_origin` and `DW_AT_specification`.
  mutating func name(
    of origin: EntryReference, _ known: inout [EntryReference: NameFacts], _ texts: inout TextTable
  ) -> NameFacts {
    if let found = known[origin] { return found }
    var text: Int32 = -1
    var line: UInt32 = 0
    /// The entry that has a name and no linkage name, and the name.
    var plain: (entry: EntryReference, unit: LoadedUnit, name: FormValue)?
    var next: EntryReference? = origin
    var hops = 0
    while let reference = next, hops < Self.maximumHopCount, !budget.isSpent {
      next = nil
      hops += 1
      guard let index = UnitHeader.index(of: reference.offset, in: reference.place == .main ? headers : alternateHeaders)
      else {
        lacksUnits = lacksUnits || reference.place == .main
        break
      }
      let loaded = load(reference.place, index)
      let unit = loaded.unit
      let source = reference.place == .main ? spans : alternate
      var cursor = DwarfCursor(source.info, from: reference.offset, to: unit.header.end)
      let entryIndex = loaded.table.index(of: cursor.uleb())
      guard entryIndex >= 0 else { break }
      let entry = loaded.table.entries[entryIndex]
      budget.spend(1 + Int(entry.specCount))
      var linkage = FormValue.absent
      var short = FormValue.absent
      for index in Int(entry.firstSpec)..<Int(entry.firstSpec + entry.specCount) {
        let spec = loaded.table.specs[index]
        switch spec.attribute {
        case .name: short = cursor.value(spec.form, constant: spec.constant, unit.header.format)
        case .linkageName, .mipsLinkageName: linkage = cursor.value(spec.form, constant: spec.constant, unit.header.format)
        case .declarationLine:
          let value = cursor.value(spec.form, constant: spec.constant, unit.header.format)
          if line == 0 { line = value.small }
        case .abstractOrigin, .specification:
          let value = cursor.value(spec.form, constant: spec.constant, unit.header.format)
          if let target = EntryReference(value, in: unit.header) {
            next = EntryReference(place: reference.place == .alternate ? .alternate : target.place, offset: target.offset)
          }
        default: cursor.skip(spec, unit.header.format)
        }
      }
      if cursor.hasFailed { break }
      if text < 0, linkage.isPresent { text = texts.add(nonEmpty: unit.text(linkage, source)) }
      if short.isPresent, unit.text(short, source).byteCount > 0 { plain = (reference, loaded, short) }
      if text >= 0, line != 0 { break }
    }
    if text < 0, let plain {
      let unit = plain.unit.unit
      let source = plain.entry.place == .main ? spans : alternate
      if Language.hasScopes(language(of: origin)) {
        let fuel = scopeFuel
        QualifiedNames.append(scopesOf: plain.entry.offset, unit, plain.unit.table, source, &texts, fuel: &scopeFuel)
        budget.spend(fuel - scopeFuel)
      }
      texts.append(unit.text(plain.name, source))
      text = texts.finish()
    }
    let facts = NameFacts(text: text, line: line)
    known[origin] = facts
    return facts
  }
}

extension UnitReader {
  /// Of the unit that holds the entry; partial units do not say theirs.
  private mutating func language(of entry: EntryReference) -> UInt64 {
    guard entry.place == .main, let index = UnitHeader.index(of: entry.offset, in: headers) else { return 0 }
    return load(.main, index).unit.language
  }
}

/// The paths of a line table's files, each put together when it is first asked for.
struct FileNames {
  private let header: LineHeader?
  private let unit: Unit
  private var known: [UInt32: Int32] = [:]

  init(_ header: LineHeader?, _ unit: Unit) {
    self.header = header
    self.unit = unit
  }

  /// The number of the file's path in `texts`; -1 when the table does not have it.
  mutating func text(_ file: UInt32, _ spans: borrowing SectionSpans, _ texts: inout TextTable) -> Int32 {
    if let found = known[file] { return found }
    let number = make(file, spans, &texts)
    known[file] = number
    return number
  }

  private func make(_ file: UInt32, _ spans: borrowing SectionSpans, _ texts: inout TextTable) -> Int32 {
    guard let header, let name = header.file(file) else { return -1 }
    let text = part(name.text, spans)
    guard text.byteCount > 0 else { return -1 }
    guard !isAbsolute(text) else { return texts.add(text) }
    // Directory 0 is the unit's own; version 5 has it in the table, too, sometimes relative.
    let directory = header.directory(name.directory).map(\.text)
    let middle = part(directory ?? .absent, spans)
    if !isAbsolute(middle) {
      let first = unit.text(unit.compilationDirectory, spans)
      if first.byteCount > 0, !equal(first, middle) { append(first, &texts) }
    }
    if middle.byteCount > 0 { append(middle, &texts) }
    texts.append(text)
    return texts.finish()
  }

  private func append(_ directory: RawSpan, _ texts: inout TextTable) {
    texts.append(directory)
    if directory.byte(at: directory.byteCount - 1) != UInt8(ascii: "/") { texts.append("/") }
  }

  private func isAbsolute(_ path: RawSpan) -> Bool { path.byte(at: 0) == UInt8(ascii: "/") }

  private func equal(_ a: RawSpan, _ b: RawSpan) -> Bool {
    guard a.byteCount == b.byteCount else { return false }
    for index in 0..<a.byteCount where a.byte(at: index) != b.byte(at: index) { return false }
    return true
  }

  /// A string of the line table; the ones that stand in place stand in `.debug_line`.
  @_lifetime(copy spans)
  private func part(_ value: FormValue, _ spans: SectionSpans) -> RawSpan {
    value.kind == .inlineString ? ElfText.string(at: value.number, in: spans.line) : unit.text(value, spans)
  }
}
