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
