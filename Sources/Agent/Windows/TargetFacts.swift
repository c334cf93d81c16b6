import Base
package import Targets
package import TraceFormat

/// What discovery knew while a window was recorded, as facts of its trace: `targets.COMPONENT.NUMBER`, each a JSON array of
/// targets. With it a trace can be labelled again, also where its recorder was killed.
package enum TargetFacts {
  package static let prefix = "targets."
  /// Of one fact's text; a trace holds at most 64 KiB.
  private static let maximumTextBytes = 60_000
  /// Of all facts of one segment: some 30,000 containers. What is above is known to the agent alone.
  static let maximumBytes = 8 << 20

  package static func records(_ targets: [String: [LabelSet]]) -> [SessionFactRecord] {
    var records: [SessionFactRecord] = []
    var total = 0
    for component in targets.keys.sorted() {
      var number = 0
      var text = ""
      func finish() {
        guard !text.isEmpty else { return }
        records.append(SessionFactRecord(name: "\(prefix)\(component).\(number)", value: "[\(text)]"))
        total += text.utf8.count
        number += 1
        text = ""
      }
      for target in targets[component] ?? [] {
        var json = JSONWriter(indent: 0)
        json.object { for label in target.labels { $0.field(label.name, label.value) } }
        let piece = String(decoding: json.bytes, as: UTF8.self)
        guard piece.utf8.count < maximumTextBytes, total < maximumBytes else { continue }
        if text.utf8.count + piece.utf8.count + 1 > maximumTextBytes { finish() }
        text += (text.isEmpty ? "" : ",") + piece
      }
      finish()
    }
    return records
  }

  /// Targets by component, from the facts of a trace.
  package static func targets(in facts: [String: String]) -> [String: [LabelSet]] {
    var found: [(component: String, number: Int, value: String)] = []
    for (name, value) in facts where name.hasPrefix(prefix) {
      guard let dot = name.lastIndex(of: "."), let number = Int(name[name.index(after: dot)...]), dot > name.startIndex else { continue }
      let component = String(name[..<dot].dropFirst(prefix.count))
      if !component.isEmpty { found.append((component, number, value)) }
    }
    found.sort { ($0.component, $0.number) < ($1.component, $1.number) }
    var targets: [String: [LabelSet]] = [:]
    for fact in found {
      guard let elements = (try? JSONReader.read(Array(fact.value.utf8)))?.elements else { continue }
      for case .object(let members) in elements {
        let labels = members.compactMap { member in member.value.text.map { LabelSet.Label(name: member.key, value: $0) } }
        targets[fact.component, default: []].append(LabelSet(labels))
      }
    }
    return targets
  }
}
