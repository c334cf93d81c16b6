import Testing
@testable import Uploader

private let second: Int64 = 1_000_000_000
private let now: Int64 = 1_800_000_000 * second

@Test func `an hour back and ten minutes ahead are accepted`() {
  let rules = TimeRules()
  #expect(rules.accepts(now, now: now))
  #expect(rules.accepts(now - 3599 * second, now: now))
  #expect(!rules.accepts(now - 3600 * second, now: now))
  #expect(rules.accepts(now + 599 * second, now: now))
  #expect(!rules.accepts(now + 600 * second, now: now))
}

@Test func `restamped times end now and keep their distances`() {
  let times = TimeRules().restamped([(5 * second, 10 * second), (8 * second, 10 * second), (0, 0)], now: now)
  #expect(times == [now - 13 * second, now - 10 * second, now])
}

@Test func `a recording of a day is squeezed into the time that is accepted, in order`() {
  let profiles = (0..<1441).map { (start: second + Int64($0) * 60 * second, duration: 60 * second) }
  let times = TimeRules().restamped(profiles, now: now)
  for time in times { #expect(TimeRules().accepts(time, now: now)) }
  for index in 1..<times.count { #expect(times[index] > times[index - 1]) }
}

@Test func `one long recording keeps its start as early as is accepted`() {
  let times = TimeRules().restamped([(second, 7200 * second)], now: now)
  #expect(times == [now - 3000 * second])
}

@Test func `extreme times neither trap nor leave the window`() {
  let times = TimeRules().restamped([(1, .max), (.max, .max), (.max - 1, 5)], now: now)
  for time in times { #expect(TimeRules().accepts(time, now: now)) }
}

@Test func `times of one series get milliseconds of their own, in order`() {
  let a = [UploadLabel("a", "1")]
  let b = [UploadLabel("a", "2")]
  let times = TimeRules.distinct([(a, 5_000_001), (a, 5_000_000), (b, 5_500_000), (a, 6_200_000), (a, 9_000_000)])
  #expect(times == [6_000_000, 5_000_000, 5_500_000, 7_000_000, 9_000_000])
}
