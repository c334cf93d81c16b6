package import Targets

/// What a source found.
package struct Found: Hashable, Sendable {
  package var targets: [LabelSet]
  /// What is not wrong but ought to be known, in sentences.
  package var notes: [String]
  package init(_ targets: [LabelSet], notes: [String] = []) {
    self.targets = targets
    self.notes = notes
  }
}

/// A service that knows which targets there are. Calls block.
package protocol TargetSource: Sendable {
  /// Whether it has to be asked to tell of changes.
  var isAskedInIntervals: Bool { get }
  /// Asks once.
  func find(until stop: Waker) throws(DiscoveryError) -> Found
  /// Tells whenever there is something else to know, until `stop` is set. What was found keeps counting when it fails later.
  func follow(until stop: Waker, _ tell: @Sendable (Result<Found, DiscoveryError>) -> Void)
}

/// What is known of a source now.
package struct SourceState: Hashable, Sendable {
  /// As last found; empty before the first answer.
  package var targets: [LabelSet] = []
  package var notes: [String] = []
  /// Why the last try failed; `nil` when it did not.
  package var problem: DiscoveryError?
  package var hasAnswered = false
  package var answers: UInt64 = 0
  package var failures: UInt64 = 0
  package init() {}
}
