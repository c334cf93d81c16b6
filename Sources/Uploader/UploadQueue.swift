import Base
import Profile

/// Sends a plan in order, one profile at a time: paced, tried again as the policy says, remembered when taken.
///
/// A profile that is refused does not hold up the others. A destination that cannot be reached, that refuses everyone,
/// or that fails two profiles in a row through all attempts ends the run; what was not sent stays for the next one.
package struct UploadQueue {
  package var policy: RetryPolicy
  private let destination: any ProfileDestination
  private let clock: any UploadClock
  private var random: SeededGenerator
  private var bucket: TokenBucket?
  /// Profiles in a row that were given up after all attempts.
  private static let maximumFailuresInARow = 2

  /// - Parameters:
  ///   - seed: of the waits between attempts.
  package init(
    to destination: any ProfileDestination, policy: RetryPolicy = RetryPolicy(), clock: any UploadClock = SystemClock(),
    seed: UInt64
  ) {
    self.destination = destination
    self.policy = policy
    self.clock = clock
    random = SeededGenerator(seed: seed)
    bucket = destination.rules.map { TokenBucket(bytesPerSecond: $0.bytesPerSecond, burst: $0.burstBytes) }
  }

  /// - Parameters:
  ///   - journals: by `UploadItem.source`; without one nothing is remembered.
  ///   - onEvent: called as things happen, on this thread.
  package mutating func run(
    _ plan: UploadPlan, journals: [String: UploadJournal] = [:], onEvent: (UploadEvent) -> Void = { _ in }
  ) -> UploadSummary {
    var summary = UploadSummary(total: plan.uploads.count)
    var hasAnswered = false
    var failures = 0
    for upload in plan.uploads {
      let journal = journals[upload.source]
      if let identity = destination.identity, journal?.contains(upload, destination: identity) == true {
        summary.alreadySent += 1
        continue
      }
      guard summary.stop == nil else {
        summary.kept += 1
        continue
      }
      switch attempt(upload, &hasAnswered, onEvent) {
      case .accepted:
        failures = 0
        summary.sent += 1
        summary.sentBytes += upload.profile.bytes.count
        if let identity = destination.identity { journal?.record(upload, destination: identity) }
        onEvent(.sent(upload))
      case .refused(let why), .tooLarge(let why), .alreadyThere(let why):
        failures = 0
        summary.refused.append(UploadSummary.Refusal(title: upload.title, reason: why))
        onEvent(.refused(upload, why))
      case .misconfigured(let why):
        summary.kept += 1
        summary.stop = .misconfigured(why)
      case .unavailable(let why):
        failures += 1
        summary.kept += 1
        if !why.hasAnswered || failures == Self.maximumFailuresInARow {
          summary.stop = .unavailable(why.reason)
        } else {
          summary.lastFailure = why.reason
          onEvent(.kept(upload, why.reason))
        }
      }
    }
    return summary
  }

  /// Up to as many attempts as the policy allows; the last one's outcome.
  private mutating func attempt(
    _ upload: PreparedUpload, _ hasAnswered: inout Bool, _ onEvent: (UploadEvent) -> Void
  ) -> UploadOutcome {
    var number = 1
    while true {
      let now = clock.monotonicNanoseconds()
      if let wait = bucket?.take(upload.chargedBytes, nowNanoseconds: now), wait > 0 {
        clock.sleep(nanoseconds: wait)
      }
      let outcome = destination.send(upload)
      if case .unavailable(let why) = outcome {
        if why.hasAnswered { hasAnswered = true }
      } else {
        hasAnswered = true
      }
      guard
        case .wait(let milliseconds) = policy.decide(
          after: number, outcome, hasAnswered: hasAnswered, random: &random),
        case .unavailable(let why) = outcome
      else { return outcome }
      onEvent(.waiting(upload, why.reason, milliseconds: milliseconds, attempt: number))
      clock.sleep(nanoseconds: milliseconds * 1_000_000)
      number += 1
    }
  }
}

/// What happens during a run.
package enum UploadEvent: Hashable, Sendable {
  case sent(PreparedUpload)
  case refused(PreparedUpload, String)
  /// Given up for this run.
  case kept(PreparedUpload, String)
  /// After attempt number `attempt`.
  case waiting(PreparedUpload, String, milliseconds: UInt64, attempt: Int)
}

/// What came of a run. Every upload of the plan is in exactly one of the counts.
package struct UploadSummary: Hashable, Sendable {
  package let total: Int
  package internal(set) var sent = 0
  /// As they went over the wire, in gzip.
  package internal(set) var sentBytes = 0
  package internal(set) var alreadySent = 0
  package internal(set) var refused: [Refusal] = []
  /// Not sent, and to be sent by the next run.
  package internal(set) var kept = 0
  /// Why the run ended before its end.
  package internal(set) var stop: Stop?
  /// Why one was given up, when the run went on all the same.
  package internal(set) var lastFailure: String?

  package struct Refusal: Hashable, Sendable {
    package let title: String
    package let reason: String
  }

  package enum Stop: Hashable, Sendable {
    case unavailable(String)
    case misconfigured(String)
  }

  package enum Verdict: Hashable, Sendable {
    case complete
    /// Some were refused or kept.
    case partial
    /// The server was not there, and nothing was sent.
    case unavailable
  }

  init(total: Int) { self.total = total }

  package var verdict: Verdict {
    if refused.isEmpty, kept == 0 { return .complete }
    if case .unavailable = stop, sent == 0, refused.isEmpty { return .unavailable }
    if lastFailure != nil, sent == 0, refused.isEmpty { return .unavailable }
    return .partial
  }
}
