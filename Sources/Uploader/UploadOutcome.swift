/// What came of one attempt to send one profile.
package enum UploadOutcome: Hashable, Sendable {
  case accepted
  /// This profile will not be taken, now or later.
  case refused(String)
  /// The same, because of its size: in parts it may be.
  case tooLarge(String)
  /// There is one of this series at this time: this very one, when an answer was lost on the way.
  case alreadyThere(String)
  /// No profile will be taken as the destination is given: a wrong password, another URL.
  case misconfigured(String)
  /// Perhaps later.
  case unavailable(Unavailability)
}

/// Why a destination does not take a profile now.
package struct Unavailability: Hashable, Sendable {
  package let reason: String
  /// What the server asks to wait, if it does.
  package let retryAfterSeconds: UInt64?
  /// Whether a server answered at all.
  package let hasAnswered: Bool
  package init(_ reason: String, retryAfterSeconds: UInt64? = nil, hasAnswered: Bool) {
    self.reason = reason
    self.retryAfterSeconds = retryAfterSeconds
    self.hasAnswered = hasAnswered
  }
}
