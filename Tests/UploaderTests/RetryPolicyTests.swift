import Base
import Testing
@testable import Uploader

private func later(_ seconds: UInt64? = nil) -> UploadOutcome {
  .unavailable(Unavailability("busy", retryAfterSeconds: seconds, hasAnswered: true))
}

@Test func `waits double, each between one step and the next, and end after ten attempts`() {
  let policy = RetryPolicy()
  var random = SeededGenerator(seed: 1)
  for attempt in 1..<10 {
    guard case .wait(let milliseconds) = policy.decide(after: attempt, later(), hasAnswered: true, random: &random)
    else {
      Issue.record("attempt \(attempt) is the last")
      continue
    }
    let step = UInt64(500) << UInt64(attempt - 1)
    #expect((step..<step * 2).contains(milliseconds))
  }
  #expect(policy.decide(after: 10, later(), hasAnswered: true, random: &random) == .stop)
}

@Test func `a wait is never longer than five minutes`() {
  var policy = RetryPolicy()
  policy.attempts = 100
  var random = SeededGenerator(seed: 1)
  for attempt in [11, 40, 99] {
    #expect(policy.decide(after: attempt, later(), hasAnswered: true, random: &random) == .wait(milliseconds: 300_000))
  }
}

@Test func `the server's own wait is the least, and one too long is not waited for`() {
  var random = SeededGenerator(seed: 1)
  #expect(
    RetryPolicy().decide(after: 1, later(7), hasAnswered: true, random: &random) == .wait(milliseconds: 7000))
  #expect(RetryPolicy().decide(after: 1, later(301), hasAnswered: true, random: &random) == .stop)
  #expect(RetryPolicy().decide(after: 1, later(.max), hasAnswered: true, random: &random) == .stop)
}

@Test(arguments: [UploadOutcome.accepted, .refused("bad"), .misconfigured("401")])
func `only what may pass later is tried again`(outcome: UploadOutcome) {
  var random = SeededGenerator(seed: 1)
  #expect(RetryPolicy().decide(after: 1, outcome, hasAnswered: true, random: &random) == .stop)
}

@Test func `a server that never answered is given up sooner`() {
  var random = SeededGenerator(seed: 1)
  let away = UploadOutcome.unavailable(Unavailability("refused", hasAnswered: false))
  #expect(RetryPolicy().decide(after: 3, away, hasAnswered: false, random: &random) != .stop)
  #expect(RetryPolicy().decide(after: 4, away, hasAnswered: false, random: &random) == .stop)
  #expect(RetryPolicy().decide(after: 4, away, hasAnswered: true, random: &random) != .stop)
}
