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
  private var row = TargetRow()

  package init(_ rules: [RelabelRule]) {
    self.rules = rules
    forget()
  }

  private mutating func forget() {
    names = TextTable()
    values = TextTable()
    row = TargetRow()
    runners = []
    for rule in rules { runners.append(RuleRunner(rule, &names)) }
  }

  /// Every target that the rules keep, in their order; none is merged with another.
  package mutating func keep(_ targets: [LabelSet]) -> [LabelSet] {
    var kept: [LabelSet] = []
    kept.reserveCapacity(targets.count)
    for target in targets { if case .kept(let labels) = apply(to: target) { kept.append(labels) } }
    return kept
  }

  package mutating func apply(to target: LabelSet) -> Outcome {
    if names.texts.count > Self.maximumTexts || values.texts.count > Self.maximumTexts { forget() }
    row.removeAll()
    for label in target.labels { row[names.number(of: label.name)] = values.number(of: label.value) }
    for index in runners.indices {
      if !runners[index].run(on: &row, &names, &values) { return .dropped(rule: index) }
    }
    var labels: [LabelSet.Label] = []
    labels.reserveCapacity(row.names.count)
    for name in row.names where row[name] != 0 {
      labels.append(LabelSet.Label(name: names[name], value: values[row[name]]))
    }
    return .kept(LabelSet(labels))
  }
}
