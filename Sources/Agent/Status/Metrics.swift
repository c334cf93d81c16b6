import Synchronization

/// The agent's counters and gauges, as Prometheus reads them.
package final class Metrics: Sendable {
  package enum Kind: String, Sendable { case counter, gauge }
  /// Label values of one name; above that they are counted together under `other`.
  private static let maximumSeries = 1000

  private struct Family {
    var kind: Kind
    var help: String
    var values: [[String]: Double] = [:]
    var labels: [String]
  }
  private let families = Mutex<[String: Family]>([:])

  package init() {}

  /// Makes a name known, so that it is shown before it has a value.
  package func declare(_ name: String, _ kind: Kind, labels: [String] = [], _ help: String) {
    families.withLock { families in
      guard families[name] == nil else { return }
      families[name] = Family(kind: kind, help: help, values: labels.isEmpty ? [[]: 0] : [:], labels: labels)
    }
  }

  package func add(_ name: String, _ value: Double = 1, _ labels: [String] = []) {
    families.withLock { families in
      let place = Self.place(labels, in: families[name])
      families[name]?.values[place, default: 0] += value
    }
  }

  package func set(_ name: String, _ value: Double, _ labels: [String] = []) {
    families.withLock { families in
      let place = Self.place(labels, in: families[name])
      families[name]?.values[place] = value
    }
  }

  package func value(_ name: String, _ labels: [String] = []) -> Double {
    families.withLock { $0[name]?.values[labels] ?? 0 }
  }

  private static func place(_ labels: [String], in family: Family?) -> [String] {
    guard let family, !labels.isEmpty, family.values[labels] == nil, family.values.count >= maximumSeries else { return labels }
    return labels.map { _ in "other" }
  }

  /// Prometheus' text format, version 0.0.4, sorted.
  package func text() -> String {
    let families = families.withLock { $0 }
    var text = ""
    for name in families.keys.sorted() {
      guard let family = families[name] else { continue }
      text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
      for key in family.values.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        let labels = zip(family.labels, key).map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += name + (labels.isEmpty ? "" : "{\(labels)}") + " \(Self.number(family.values[key] ?? 0))\n"
      }
    }
    return text
  }

  private static func number(_ value: Double) -> String {
    Int64(exactly: value).map { String($0) } ?? String(value)
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
