/// Applies rules in order to one target after another, and remembers what each rule made of which text.
///
/// A target is a label set; a name whose value is empty is not there. The result depends on rules and target alone.
package struct Relabeler {
  package enum Outcome: Hashable, Sendable {
    case kept(LabelSet)
    /// The index of the rule that dropped the target.
    case dropped(rule: Int)
  }

  /// Distinct texts that are remembered; with more the memory begins anew.
  private static let maximumTexts = 1 << 20

  package let rules: [RelabelRule]
  private var runners: [RuleRunner] = []
  private var names = TextTable()
  private var values = TextTable()
  /// Targets that are worked on together.
  private var rows: [TargetRow] = []
  private static let batch = 64
  /// The names of the target before, which nearly always has the same: what comes in, and what goes out with its order.
  private var lastNames: [(text: String, number: Int32)] = []
  private var lastRow: [Int32] = []
  private var lastOrder: [Int32] = []

  package init(_ rules: [RelabelRule]) {
    self.rules = rules
    forget()
  }

  private mutating func forget() {
    names = TextTable()
    values = TextTable()
    rows = []
    (lastNames, lastRow, lastOrder) = ([], [], [])
    runners = []
    for rule in rules { runners.append(RuleRunner(rule, &names)) }
  }

  /// Every target that the rules keep, in their order; none is merged with another.
  package mutating func keep(_ targets: [LabelSet]) -> [LabelSet] {
    var kept: [LabelSet] = []
    kept.reserveCapacity(targets.count)
    for start in stride(from: 0, to: targets.count, by: Self.batch) {
      for outcome in apply(to: targets[start..<min(start + Self.batch, targets.count)]) {
        if case .kept(let labels) = outcome { kept.append(labels) }
      }
    }
    return kept
  }

  package mutating func apply(to target: LabelSet) -> Outcome { apply(to: [target][...])[0] }

  /// One rule on all targets, then the next: what a rule remembers is near while it is used.
  private mutating func apply(to targets: ArraySlice<LabelSet>) -> [Outcome] {
    if names.texts.count > Self.maximumTexts || values.texts.count > Self.maximumTexts { forget() }
    while rows.count < targets.count { rows.append(TargetRow()) }
    for (row, target) in targets.enumerated() {
      rows[row].removeAll()
      for (index, label) in target.labels.enumerated() {
        rows[row][number(ofName: label.name, at: index)] = values.number(of: label.value)
      }
    }
    var dropped = [Int?](repeating: nil, count: targets.count)
    for index in runners.indices { runners[index].run(on: &rows, &dropped, index, &names, &values) }
    return dropped.enumerated().map { row, rule in rule.map { .dropped(rule: $0) } ?? .kept(labels(of: row)) }
  }

  private mutating func labels(of row: Int) -> LabelSet {
    if rows[row].names != lastRow {
      lastRow = rows[row].names
      lastOrder = lastRow.sorted { names[$0] < names[$1] }
    }
    var labels: [LabelSet.Label] = []
    labels.reserveCapacity(lastOrder.count)
    for name in lastOrder {
      let value = rows[row][name]
      if value != 0 { labels.append(LabelSet.Label(name: names[name], value: values[value])) }
    }
    return LabelSet(sorted: labels)
  }

  private mutating func number(ofName name: String, at index: Int) -> Int32 {
    if index < lastNames.count, lastNames[index].text == name { return lastNames[index].number }
    let number = names.number(of: name)
    if index < lastNames.count { lastNames[index] = (name, number) } else { lastNames.append((name, number)) }
    return number
  }
}
