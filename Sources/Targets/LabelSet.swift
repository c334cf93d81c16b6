/// Names and values that tell one series of profiles from another; sorted by name, each name once.
package struct LabelSet: Hashable, Comparable, Sendable {
  package struct Label: Hashable, Sendable {
    package var name: String
    package var value: String
    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }
  package private(set) var labels: [Label] = []

  package init() {}

  /// Labels in any order; of those with one name the last counts, and an empty value is no label.
  package init(_ labels: [Label]) {
    var sorted: [Label] = []
    sorted.reserveCapacity(labels.count)
    // Equal names keep their order, so that the last of them can win.
    for (_, label) in labels.enumerated().sorted(by: { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }) {
      if sorted.last?.name == label.name { sorted.removeLast() }
      sorted.append(label)
    }
    self.labels = sorted.filter { !$0.value.isEmpty }
  }

  /// Labels that are sorted by name already, each name once and none empty.
  init(sorted labels: [Label]) { self.labels = labels }

  package init(_ labels: [String: String]) { self.init(labels.map { Label(name: $0.key, value: $0.value) }) }

  /// The value of a name; `nil` when it is not there. An empty value deletes the name, as everywhere in Prometheus' world.
  package subscript(name: String) -> String? {
    get { labels.first { $0.name == name }?.value }
    set {
      labels.removeAll { $0.name == name }
      guard let newValue, !newValue.isEmpty else { return }
      let place = labels.firstIndex { $0.name > name } ?? labels.count
      labels.insert(Label(name: name, value: newValue), at: place)
    }
  }

  /// These labels and those of `other`, whose values win.
  package func merging(_ other: LabelSet) -> LabelSet { LabelSet(labels + other.labels) }

  /// Without the labels that `isIncluded` refuses.
  package func filter(_ isIncluded: (Label) -> Bool) -> LabelSet {
    var result = self
    result.labels.removeAll { !isIncluded($0) }
    return result
  }

  package static func < (lhs: Self, rhs: Self) -> Bool {
    lhs.labels.lexicographicallyPrecedes(rhs.labels) { ($0.name, $0.value) < ($1.name, $1.value) }
  }
}

extension LabelSet: CustomStringConvertible {
  /// `{name="value", …}`
  package var description: String {
    "{" + labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ", ") + "}"
  }
}
