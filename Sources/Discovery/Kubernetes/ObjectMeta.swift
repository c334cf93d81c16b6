import Base
import Targets

/// What every object of the API has.
struct ObjectMeta: Hashable, Sendable {
  var namespace: String
  var name: String
  var uid: String
  var resourceVersion: String
  var labels: [(key: String, value: String)] { labelTexts.map { ($0.key, $0.value) } }
  private var labelTexts: [Pair]
  private var annotations: [Pair]
  /// The owner that controls it.
  var controllerKind = ""
  var controllerName = ""

  private struct Pair: Hashable, Sendable {
    var key: String
    var value: String
  }

  /// `nil` for what has no name.
  init?(_ object: JSONValue) {
    guard let metadata = object["metadata"], let name = metadata["name"]?.text, !name.isEmpty else { return nil }
    self.name = name
    namespace = metadata["namespace"]?.text ?? ""
    uid = metadata["uid"]?.text ?? ""
    resourceVersion = metadata["resourceVersion"]?.text ?? ""
    labelTexts = (metadata["labels"]?.texts ?? []).map { Pair(key: $0.key, value: $0.value) }
    annotations = (metadata["annotations"]?.texts ?? []).map { Pair(key: $0.key, value: $0.value) }
    if let owner = metadata["ownerReferences"]?.elements?.first(where: { $0["controller"] == .boolean(true) }) {
      controllerKind = owner["kind"]?.text ?? ""
      controllerName = owner["name"]?.text ?? ""
    }
  }

  /// Unique among the objects of one kind.
  var key: String { "\(namespace)/\(name)" }

  /// Labels and annotations, and that they are there, as `__meta_kubernetes_KIND_…`.
  func metaLabels(_ kind: String) -> [LabelSet.Label] {
    var result: [LabelSet.Label] = []
    result.reserveCapacity((labelTexts.count + annotations.count) * 2)
    for (pairs, word) in [(labelTexts, "label"), (annotations, "annotation")] {
      for pair in pairs {
        let key = LabelName.sanitized(pair.key)
        result.append(.kubernetes("\(kind)_\(word)_\(key)", pair.value))
        result.append(.kubernetes("\(kind)_\(word)present_\(key)", "true"))
      }
    }
    return result
  }
}

extension LabelSet.Label {
  static func kubernetes(_ name: String, _ value: String) -> LabelSet.Label {
    LabelSet.Label(name: "__meta_kubernetes_" + name, value: value)
  }
  static func address(_ value: String) -> LabelSet.Label { LabelSet.Label(name: "__address__", value: value) }
}

extension JSONValue {
  /// A boolean as the API's clients print it; `nil` when it is none.
  var booleanText: String? {
    if case .boolean(let flag) = self { flag ? "true" : "false" } else { nil }
  }
  /// A port; `nil` for what is none.
  var port: Int? { integer.flatMap { (0...65535).contains($0) ? Int($0) : nil } }
}
