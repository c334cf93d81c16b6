import Testing
@testable import Uploader

private let second: UInt64 = 1_000_000_000

@Test func `a full bucket lets the burst through at once`() {
  var bucket = TokenBucket(bytesPerSecond: 100, burst: 50)
  #expect(bucket.take(30, nowNanoseconds: 0) == 0)
  #expect(bucket.take(20, nowNanoseconds: 0) == 0)
  #expect(bucket.take(10, nowNanoseconds: 0) == second / 10)
}

@Test func `an idle bucket fills up to the burst and no further`() {
  var bucket = TokenBucket(bytesPerSecond: 100, burst: 50)
  _ = bucket.take(50, nowNanoseconds: 0)
  #expect(bucket.take(50, nowNanoseconds: 100 * second) == 0)
  #expect(bucket.take(50, nowNanoseconds: 100 * second) == second / 2)
}

@Test func `more than the burst waits for a full bucket and is paid for afterwards`() {
  var bucket = TokenBucket(bytesPerSecond: 100, burst: 50)
  #expect(bucket.take(150, nowNanoseconds: 0) == 0)
  #expect(bucket.take(50, nowNanoseconds: 0) == 3 * second / 2)
}

@Test func `over a long time no more than the rate goes through`() {
  var bucket = TokenBucket(bytesPerSecond: 1000, burst: 100)
  var now: UInt64 = 0
  for _ in 0..<1000 { now += bucket.take(77, nowNanoseconds: now) }
  let allowed = 100 + Double(now) / 1e9 * 1000
  #expect(Double(1000 * 77) <= allowed + 1)
  #expect(Double(1000 * 77) >= allowed - 100)
}

@Test func `a clock that goes back takes nothing away`() {
  var bucket = TokenBucket(bytesPerSecond: 100, burst: 50)
  _ = bucket.take(50, nowNanoseconds: second)
  #expect(bucket.take(50, nowNanoseconds: 0) == second / 2)
}
