/// Whether and when a failed attempt is made again. Pure: randomness comes in, nothing waits here.
package struct RetryPolicy: Hashable, Sendable {
  package var minimumWaitMilliseconds: UInt64 = 500
  package var maximumWaitMilliseconds: UInt64 = 300_000
  /// Attempts at one profile, the first included.
  package var attempts = 10
  /// Attempts as long as the server has not answered once: one that is not there is said soon, nothing is lost by it.
  package var attemptsBeforeFirstAnswer = 4

  package init() {}

  package enum Decision: Hashable, Sendable {
    case stop
    case wait(milliseconds: UInt64)
  }

  /// What to do after attempt number `attempt`, counted from 1.
  ///
  /// The wait doubles with every attempt, somewhere between one step and the next, and is never shorter than what
  /// the server asks for. A server that asks for longer than the longest wait is left alone: what is not sent stays.
  package func decide(
    after attempt: Int, _ outcome: UploadOutcome, hasAnswered: Bool, random: inout some RandomNumberGenerator
  ) -> Decision {
    guard case .unavailable(let why) = outcome else { return .stop }
    guard attempt < (hasAnswered ? attempts : min(attempts, attemptsBeforeFirstAnswer)) else { return .stop }
    var wait = wait(after: attempt, random: &random)
    if let seconds = why.retryAfterSeconds {
      guard seconds <= maximumWaitMilliseconds / 1000 else { return .stop }
      wait = max(wait, seconds * 1000)
    }
    return .wait(milliseconds: wait)
  }

  /// Milliseconds after attempt number `attempt`, counted from 1, as long as the server asks for nothing else.
  package func wait(after attempt: Int, random: inout some RandomNumberGenerator) -> UInt64 {
    let doubled = minimumWaitMilliseconds.multipliedReportingOverflow(by: 1 << UInt64(min(max(attempt, 1) - 1, 32)))
    let step = doubled.overflow ? maximumWaitMilliseconds : min(maximumWaitMilliseconds, doubled.partialValue)
    return min(maximumWaitMilliseconds, step + UInt64.random(in: 0..<max(step, 1), using: &random))
  }
}
