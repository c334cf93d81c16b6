/// When a profile may have been taken for a server to accept it, and how others are moved there.
package struct TimeRules: Hashable, Sendable {
  /// How long ago a profile may start.
  package var pastNanoseconds: Int64 = 3_600_000_000_000
  package var futureNanoseconds: Int64 = 600_000_000_000
  /// Where restamping puts the oldest start at the earliest: 10 minutes are left for sending.
  package var restampedPastNanoseconds: Int64 = 3_000_000_000_000

  package init() {}

  package func accepts(_ time: Int64, now: Int64) -> Bool {
    time > now - pastNanoseconds && time < now + futureNanoseconds
  }

  /// Start times as if the last profile had ended `now`, in the same order and the same distances.
  ///
  /// Only where that would leave the oldest too old are the distances shortened, all by the same factor.
  package func restamped(_ profiles: [(start: Int64, duration: Int64)], now: Int64) -> [Int64] {
    let known = profiles.filter { $0.start > 0 }
    guard let first = known.map(\.start).min(), let last = known.map(\.start).max() else {
      return profiles.map { _ in now }
    }
    let lastEnd = known.map { $0.start.addingSaturated(max(0, $0.duration)) }.max() ?? last
    let earliest = now - restampedPastNanoseconds
    if lastEnd - first <= restampedPastNanoseconds {
      return profiles.map { $0.start > 0 ? now - (lastEnd - $0.start) : now }
    }
    let span = last - first
    return profiles.map { profile in
      guard profile.start > 0 else { return now }
      if span <= restampedPastNanoseconds { return earliest + (profile.start - first) }
      // 128 bits wide, because nanoseconds of a day times nanoseconds of an hour do not fit in 64.
      let product = (profile.start - first).multipliedFullWidth(by: restampedPastNanoseconds)
      return earliest + span.dividingFullWidth(product).quotient
    }
  }

  /// The times with no two of one series in the same millisecond, which a server would take for one profile.
  ///
  /// Later ones of a series move up to the next free millisecond; order is kept, equal times keep that of the list.
  package static func distinct(_ profiles: [(series: [UploadLabel], time: Int64)]) -> [Int64] {
    var times = profiles.map(\.time)
    var last: [[UploadLabel]: Int64] = [:]
    for index in profiles.indices.sorted(by: { (profiles[$0].time, $0) < (profiles[$1].time, $1) }) {
      let series = profiles[index].series
      let millisecond = times[index] / 1_000_000
      if let taken = last[series], millisecond <= taken {
        times[index] = (taken + 1) * 1_000_000
        last[series] = taken + 1
      } else {
        last[series] = millisecond
      }
    }
    return times
  }
}

extension Int64 {
  fileprivate func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
