/// Finds the components of a file and what each refers to.
struct ConfigurationGraph {
  private let file: SourceFile
  private let library: StandardLibrary
  private(set) var problems: [Diagnostic] = []
  private(set) var components: [Configuration.Component] = []
  /// Indices of components with a reference to nothing.
  private(set) var brokenComponents: Set<Int> = []
  private(set) var order: [Int] = []
  private var blocks: [(id: String, kind: ComponentKind, block: Block)] = []
  private var index: [String: Int] = [:]

  static let maximumComponents = 10_000

  init(_ file: SourceFile, _ library: StandardLibrary) {
    self.file = file
    self.library = library
  }

  private mutating func report(_ range: SourceRange, _ message: String) { problems.append(Diagnostic(range, message)) }

  // MARK: Components

  mutating func collect(_ body: Body) {
    var special: [String: SourceRange] = [:]
    for statement in body.statements {
      switch statement {
      case .attribute(let attribute):
        report(attribute.nameRange.joined(with: attribute.value.range), "unrecognized attribute \(attribute.name)")
      case .block(let block):
        let name = block.fullName
        if ComponentKind.passedOver.contains(name) {
          let id = name + (block.label.map { ".\($0)" } ?? "")
          if let earlier = special[id] { reportDuplicate(block, id, earlier) }
          special[id] = block.headRange
        } else if ComponentKind.notUnderstood.contains(name) {
          report(block.headRange, "\(name) blocks are not supported by pyrorec: write what they stand for in this file")
        } else {
          collect(block, name)
        }
      }
    }
  }

  private mutating func reportDuplicate(_ block: Block, _ id: String, _ earlier: SourceRange) {
    let place = file.position(of: earlier.start)
    report(block.headRange, "block \(id) already declared at \(file.part(at: earlier.start).file.name):\(place.line):\(place.column)")
  }

  private mutating func collect(_ block: Block, _ name: String) {
    guard let kind = ComponentKind.all.first(where: { $0.name == name }) else {
      return report(block.nameRange, "cannot find the definition of component name \(AlloyValue.string(name).written)")
    }
    guard let label = block.label, !label.isEmpty else {
      return report(block.headRange, "component \(AlloyValue.string(name).written) must have a label")
    }
    let id = "\(name).\(label)"
    if let earlier = index[id] { return reportDuplicate(block, id, blocks[earlier].block.headRange) }
    guard blocks.count < Self.maximumComponents else { return }
    index[id] = blocks.count
    blocks.append((id, kind, block))
  }

  // MARK: References

  mutating func connect() {
    var edges: [[Int]] = []
    for (number, (id, kind, block)) in blocks.enumerated() {
      var found: [Int] = []
      for attribute in Self.attributes(of: block.body) { references(in: attribute.value, of: number, into: &found) }
      edges.append(found)
      components.append(
        Configuration.Component(
          id: id, kind: kind, label: block.label ?? "", dependencies: found.map { blocks[$0].id },
          line: file.position(of: block.range.start).line, block: block))
    }
    sort(edges)
  }

  private static func attributes(of body: Body) -> [Attribute] {
    body.statements.flatMap { statement in
      switch statement {
      case .attribute(let attribute): [attribute]
      case .block(let block): attributes(of: block.body)
      }
    }
  }

  private mutating func references(in expression: Expression, of number: Int, into found: inout [Int]) {
    if let path = Evaluator.path(of: expression) {
      // The component is the longest part of the path that is one.
      for length in stride(from: path.count, to: 0, by: -1) {
        if let target = index[path.prefix(length).joined(separator: ".")] {
          if !found.contains(target) { found.append(target) }
          return
        }
      }
      guard library.value(named: path[0]) == nil else { return }
      brokenComponents.insert(number)
      report(expression.range, "component \(AlloyValue.string(path.joined(separator: ".")).written) does not exist or is out of scope")
      return
    }
    switch expression.kind {
    case .literal, .identifier: break
    case .access(let base, _), .unary(_, let base), .parenthesized(let base): references(in: base, of: number, into: &found)
    case .index(let base, let index), .binary(let base, _, let index):
      references(in: base, of: number, into: &found)
      references(in: index, of: number, into: &found)
    case .call(let base, let elements):
      references(in: base, of: number, into: &found)
      for element in elements { references(in: element, of: number, into: &found) }
    case .array(let elements): for element in elements { references(in: element, of: number, into: &found) }
    case .object(let fields): for field in fields { references(in: field.value, of: number, into: &found) }
    }
  }

  // MARK: Order

  /// Kahn's: whoever has nothing left to wait for, in the order of the file. What remains waits for itself.
  private mutating func sort(_ edges: [[Int]]) {
    var waiting = edges.map { Set($0) }
    var dependants = [[Int]](repeating: [], count: edges.count)
    for (from, targets) in edges.enumerated() { for target in targets { dependants[target].append(from) } }
    var ready = waiting.indices.filter { waiting[$0].isEmpty }
    var next = 0
    while next < ready.count {
      let done = ready[next]
      next += 1
      for dependant in dependants[done] {
        waiting[dependant].remove(done)
        if waiting[dependant].isEmpty { ready.append(dependant) }
      }
    }
    order = ready
    let left = waiting.indices.filter { !waiting[$0].isEmpty }
    // Those that only lead into a cycle are in none.
    var reported: Set<Int> = []
    for start in left where !reported.contains(start) {
      guard let cycle = cycle(from: start, waiting) else { continue }
      if !reported.isDisjoint(with: cycle) { continue }
      reported.formUnion(cycle)
      let ids = cycle.map { blocks[$0].id }.sorted()
      report(blocks[cycle.min() ?? start].block.headRange, "cycle: \(ids.joined(separator: ", "))")
    }
    // They are read last, so that what else is wrong with them is found too.
    order += left
  }

  /// Follows the first thing each waits for until it comes by a place again.
  private func cycle(from start: Int, _ waiting: [Set<Int>]) -> [Int]? {
    var path: [Int] = []
    var place: [Int: Int] = [:]
    var current = start
    while place[current] == nil {
      place[current] = path.count
      path.append(current)
      guard let next = waiting[current].min() else { return nil }
      current = next
    }
    return place[current].map { Array(path[$0...]) }
  }
}
