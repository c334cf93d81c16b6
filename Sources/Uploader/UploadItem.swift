package import Profile

/// A name and value that tell one series of profiles from another.
package struct UploadLabel: Hashable, Sendable, Comparable {
  package let name: String
  package let value: String
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
  package static func < (left: Self, right: Self) -> Bool { (left.name, left.value) < (right.name, right.value) }
}

/// A profile to send and the series it belongs to, as the stages before made them.
package struct UploadItem: Hashable, Sendable {
  /// The file it came from, beside which is written down that it was sent.
  package let source: String
  /// The series' labels in any order, without `__name__`.
  package let labels: [UploadLabel]
  /// What is measured, the label `__name__`: `process_cpu`.
  package let metric: String
  package let profile: EncodedProfile

  package init(source: String, labels: [UploadLabel], metric: String, profile: EncodedProfile) {
    self.source = source
    self.labels = labels
    self.metric = metric
    self.profile = profile
  }
}

/// An item as the destination will take it: labels by its rules, small enough, with a time of its own.
package struct PreparedUpload: Hashable, Sendable {
  package let source: String
  /// Sorted by name, `__name__` among them.
  package let labels: [UploadLabel]
  package let profile: EncodedProfile
  /// The same for the same labels, content and original time, whatever the destination and the restamping.
  package let contentKey: UInt64

  /// What servers count against a rate: the message before gzip and the labels.
  package var chargedBytes: Int { profile.uncompressedByteCount + labels.byteCount }

  /// For messages: `process_cpu{service_name="shop"}`.
  package var title: String {
    let metric = labels.first { $0.name == "__name__" }?.value ?? "profile"
    let rest = labels.filter { $0.name != "__name__" }.map { "\($0.name)=\"\($0.value)\"" }
    return metric + "{" + rest.joined(separator: ", ") + "}"
  }
}

extension [UploadLabel] {
  var byteCount: Int { reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count } }
}
