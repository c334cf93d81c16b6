import Base
import Synchronization

/// The answers of one unit as they are kept: for all of the functions with a target, not only for the targets.
struct PreparedUnit: Sendable {
  /// A function, or one inlined into it.
  struct Node: Hashable, Sendable {
    /// -1 for none; always before the node itself.
    var parent: Int32
    /// Into the texts, -1 for none.
    var name: Int32
    /// 0 for none, as the lines below.
    var startLine: UInt32
    /// Where it was called, of inlined ones.
    var callFile: Int32
    var callLine: UInt32
  }
  /// What is said of an address: the innermost function, and the line there.
  struct Answer: Hashable, Sendable {
    var node: Int32
    var file: Int32
    var line: UInt32

    static let nothing = Answer(node: -1, file: -1, line: 0)
  }
  struct Segment: Sendable {
    var start: UInt64
    var end: UInt64
    var answer: Answer
  }
  var texts = TextTable()
  var nodes: [Node] = []
  /// Ascending, not overlapping.
  var segments: [Segment] = []
}

/// What one call may prepare: a table of all that a file says would take longer to make than the answers.
final class PreparationBudget: Sendable {
  /// A table of so many takes about 40 MiB.
  private static let maximumSegmentCount = 1_500_000
  private let left = Mutex(maximumSegmentCount)

  var isSpent: Bool { left.withLock { $0 <= 0 } }
  func spend(_ count: Int) { left.withLock { $0 -= count } }
}

extension UnitReader {
  /// Longer chains are not kept, so that no limit on frames is met in what is.
  private static let maximumChainDepth = 64
  /// Places where answers change, of one unit.
  private static let maximumEdgeCount = 1 << 22

  /// The frames of ascending addresses, and the answers around them; no answers where they may depend on one another.
  mutating func preparedFrames(
    unit index: Int, targets: [UInt64], _ preparation: PreparationBudget
  ) -> (UnitFrames, PreparedUnit?) {
    let loaded = begin(index)
    let header = lineHeader(loaded.unit)
    let (nodes, owners, survey) = functions(loaded, targets, surveying: !preparation.isSpent)
    let known = survey?.known ?? []
    guard loaded.unit.header.format.version > 2, survey?.isUnsound != true, let edges = edges(survey, known, header) else {
      return (frames(unit: index, targets, header, Resolved(nodes: nodes, owners: owners, rows: rows(header, targets))), nil)
    }
    // What is asked for and what is kept, together: an answer does not depend on what else is asked for.
    var asked: [UInt64] = []
    var places: [Int] = []
    asked.reserveCapacity(edges.count + targets.count)
    var next = 0
    for target in targets {
      while next < edges.count, edges[next] < target {
        asked.append(edges[next])
        next += 1
      }
      if next < edges.count, edges[next] == target { next += 1 }
      if asked.last != target { asked.append(target) }
      places.append(asked.count - 1)
    }
    asked += edges[next...]
    var all = Resolved(nodes: nodes, owners: owners, rows: [])
    if survey != nil || asked.count != targets.count { (all.nodes, all.owners, _) = functions(loaded, asked, surveying: false) }
    all.rows = rows(header, asked)
    let mine = Resolved(nodes: all.nodes, owners: places.map { all.owners[$0] }, rows: places.map { all.rows[$0] })
    let frames = frames(unit: index, targets, header, mine)

    var made = Making(FileNames(header, lineUnit(loaded.unit)), all.nodes.count)
    var runs = CodeRuns(known)
    for (place, start) in asked.enumerated() where start < .max {
      // Of an address outside of what is known the answer is its own alone.
      let end = runs.end(of: start) ?? start + 1
      let limit = place + 1 < asked.count ? asked[place + 1] : end
      guard add(CodeRange(start: start, end: min(end, limit)), place, all, &made) else { return (frames, nil) }
    }
    preparation.spend(made.unit.segments.count)
    budget.spend(textByteCount: made.unit.texts.bytes.count)
    return (frames, made.unit)
  }

  /// Every place in `known` where an answer may change, ascending, each once.
  private func edges(_ survey: CodeSurvey?, _ known: [CodeRange], _ header: LineHeader?) -> [UInt64]? {
    guard let survey else { return [] }
    var runs = CodeRuns(known)
    var edges = known.map(\.start)
    edges += survey.edges.filter { runs.has($0) }
    var rows = RowEdges(known, edges: edges, limit: Self.maximumEdgeCount)
    if let header, !budget.isSpent {
      budget.spend(LineProgram.stepCount(header, 0))
      LineProgram.run(header, lineSpans.line, &rows)
    }
    var all = rows.edges
    guard all.count <= Self.maximumEdgeCount else { return nil }
    all.sort()
    var last: UInt64?
    all.removeAll { edge in
      defer { last = edge }
      return edge == last
    }
    return all
  }

  /// What is being put together of a unit.
  private struct Making {
    var unit = PreparedUnit()
    var files: FileNames
    /// By node of the walk: its number in the unit, once it has one.
    var numbers: [Int32]
    var names: [EntryReference: NameFacts] = [:]

    init(_ files: FileNames, _ count: Int) {
      self.files = files
      numbers = [Int32](repeating: -1, count: count)
    }
  }

  /// Adds the answer of a target for `range`; `false` when its chain is too long.
  private mutating func add(_ range: CodeRange, _ target: Int, _ resolved: Resolved, _ made: inout Making) -> Bool {
    var chain: [Int] = []
    var next = Int(resolved.owners[target])
    while next >= 0, made.numbers[next] < 0 {
      chain.append(next)
      next = Int(resolved.nodes[next].parent)
      if chain.count > Self.maximumChainDepth { return false }
    }
    var parent = next < 0 ? -1 : made.numbers[next]
    for index in chain.reversed() {
      let node = resolved.nodes[index]
      let name = name(of: node.origin, &made.names, &made.unit.texts)
      let file = node.callFile == LineRow.noFile ? -1 : made.files.text(node.callFile, lineSpans, &made.unit.texts)
      made.unit.nodes.append(
        PreparedUnit.Node(
          parent: parent, name: name.text, startLine: name.line, callFile: file, callLine: node.callLine))
      parent = Int32(made.unit.nodes.count - 1)
      made.numbers[index] = parent
    }
    guard depth(parent, made.unit.nodes) <= Self.maximumChainDepth else { return false }
    let row = resolved.rows[target]
    let answer = PreparedUnit.Answer(
      node: parent, file: row.file == LineRow.noFile ? -1 : made.files.text(row.file, lineSpans, &made.unit.texts), line: row.line)
    if let last = made.unit.segments.last, last.end == range.start, last.answer == answer {
      made.unit.segments[made.unit.segments.count - 1].end = range.end
    } else {
      made.unit.segments.append(PreparedUnit.Segment(start: range.start, end: range.end, answer: answer))
    }
    return true
  }

  private func depth(_ node: Int32, _ nodes: [PreparedUnit.Node]) -> Int {
    var depth = 0
    var next = node
    while next >= 0, depth <= Self.maximumChainDepth {
      depth += 1
      next = nodes[Int(next)].parent
    }
    return depth
  }
}

/// Ranges of code that are asked about addresses which mostly ascend.
struct CodeRuns {
  let ranges: [CodeRange]
  private var last = 0

  init(_ ranges: [CodeRange]) { self.ranges = ranges }

  mutating func has(_ address: UInt64) -> Bool { end(of: address) != nil }

  /// The end of the range that has the address.
  mutating func end(of address: UInt64) -> UInt64? {
    guard !ranges.isEmpty else { return nil }
    if ranges[last].start > address || ranges[last].end <= address {
      var low = 0
      var high = ranges.count
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].start <= address { low = middle + 1 } else { high = middle }
      }
      guard low > 0 else { return nil }
      last = low - 1
    }
    return address < ranges[last].end ? ranges[last].end : nil
  }
}
