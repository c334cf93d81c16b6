/// What a Pyroscope server takes as the labels of a series, and how other labels are made to fit.
///
/// Names follow `[A-Za-z_][A-Za-z0-9_]*`, the rule every version of the server agrees on.
package struct LabelRules: Hashable, Sendable {
  /// Names a series, counting `__name__`, `service_name` and those the server makes of sample labels.
  package var maximumCount = 30
  package var maximumNameBytes = 1024
  package var maximumValueBytes = 2048

  package init() {}

  /// Something that was not sent as it was given.
  package enum Change: Hashable, Sendable {
    case renamed(from: String, to: String)
    case dropped(name: String, why: String)
    case shortened(name: String, bytes: Int)
    case added(name: String, value: String)
  }

  /// Labels names that sample labels of these become no label of the series.
  private static let unsplit: Set<String> = ["trace_id", "span_id", "profile_id"]

  /// The labels to send, sorted by name, and every change, in the order it was made.
  /// - Parameters:
  ///   - metric: becomes `__name__`, whatever the labels say.
  ///   - sampleLabels: the keys of text labels of samples, which the server turns into labels of series.
  package func apply(
    to labels: [UploadLabel], metric: String, sampleLabels: [String] = []
  ) -> (labels: [UploadLabel], changes: [Change]) {
    var changes: [Change] = []
    var kept: [String: String] = ["__name__": metric]
    // Those whose name needs no change come first, so that `a.b` cannot take the place of `a_b`.
    let sorted = labels.sorted()
    for exact in [true, false] {
      for label in sorted where (Self.sanitized(label.name) == label.name) == exact {
        add(label, to: &kept, &changes)
      }
    }
    if metric == "memory", kept["__delta__"] == nil {
      // Or a server of version 1 takes it for a difference to the one before and shows nothing.
      kept["__delta__"] = "false"
    }
    if kept["service_name"] == nil {
      kept["service_name"] = "unknown_service"
      changes.append(.added(name: "service_name", value: "unknown_service"))
    }
    let fromSamples = Set(sampleLabels).subtracting(Self.unsplit).subtracting(kept.keys).count
    let room = max(2, maximumCount - fromSamples)
    let optional = kept.keys.filter { $0 != "__name__" && $0 != "service_name" }.sorted()
    for name in optional.dropFirst(max(0, room - 2)) {
      kept[name] = nil
      changes.append(.dropped(name: name, why: "a series has at most \(maximumCount) labels"))
    }
    return (kept.map { UploadLabel($0.key, $0.value) }.sorted(), changes)
  }

  private func add(_ label: UploadLabel, to kept: inout [String: String], _ changes: inout [Change]) {
    if label.name == "__name__" { return }
    if label.name.hasPrefix("__"), label.name != "__delta__" {
      changes.append(.dropped(name: label.name, why: "labels that begin with __ are not sent"))
      return
    }
    guard !label.value.isEmpty else {
      changes.append(.dropped(name: label.name, why: "its value is empty"))
      return
    }
    let name = Self.sanitized(label.name)
    guard !name.isEmpty, name.utf8.count <= maximumNameBytes else {
      changes.append(.dropped(name: label.name, why: "a name has 1 to \(maximumNameBytes) bytes"))
      return
    }
    guard kept[name] == nil else {
      let why = name == label.name ? "it is there twice" : "it would be sent as \(name), which is there already"
      changes.append(.dropped(name: label.name, why: why))
      return
    }
    if name != label.name { changes.append(.renamed(from: label.name, to: name)) }
    var value = label.value
    if value.utf8.count > maximumValueBytes {
      value = value.prefix(bytes: maximumValueBytes)
      changes.append(.shortened(name: name, bytes: maximumValueBytes))
    }
    kept[name] = value
  }

  /// `name` with `_` for every byte it may not have.
  package static func sanitized(_ name: String) -> String {
    var bytes: [UInt8] = []
    for scalar in name.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "_": bytes.append(UInt8(ascii: scalar))
      case "0"..."9":
        if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
        bytes.append(UInt8(ascii: scalar))
      default: bytes.append(UInt8(ascii: "_"))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension String {
  /// As many whole characters as fit into `count` bytes.
  fileprivate func prefix(bytes count: Int) -> String {
    var end = 0
    var text = ""
    for scalar in unicodeScalars {
      end += UTF8.width(scalar)
      if end > count { break }
      text.unicodeScalars.append(scalar)
    }
    return text
  }
}

extension LabelRules.Change: CustomStringConvertible {
  package var description: String {
    switch self {
    case .renamed(let from, let to): "label \(from) is sent as \(to)"
    case .dropped(let name, let why): "label \(name) is not sent: \(why)"
    case .shortened(let name, let bytes): "label \(name) is cut to \(bytes) bytes"
    case .added(let name, let value): "label \(name) is missing and sent as \(value)"
    }
  }
}
