/// Keeps the bytes sent under a rate: so many a second, with so many at once.
///
/// Pure: the caller says what time it is.
package struct TokenBucket: Hashable, Sendable {
  private let bytesPerSecond: Double
  private let burst: Double
  private var level: Double
  private var lastNanoseconds: UInt64?

  package init(bytesPerSecond: Int, burst: Int) {
    self.bytesPerSecond = Double(bytesPerSecond)
    self.burst = Double(burst)
    level = Double(burst)
  }

  /// Takes `bytes` and says how many nanoseconds to wait before sending them.
  ///
  /// More than the burst waits for a full bucket and then leaves a debt.
  package mutating func take(_ bytes: Int, nowNanoseconds now: UInt64) -> UInt64 {
    if let last = lastNanoseconds, now > last {
      level = min(burst, level + Double(now - last) / 1e9 * bytesPerSecond)
    }
    let needed = min(Double(bytes), burst)
    let missing = max(0, needed - level)
    level -= Double(bytes)
    // What comes in during the wait is counted when the next one asks.
    lastNanoseconds = max(now, lastNanoseconds ?? now)
    return UInt64(missing / bytesPerSecond * 1e9)
  }
}
