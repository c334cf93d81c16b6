import Base
import Glibc

/// Which processes were looked at, which of them are being recorded, and when one that could not be is asked again.
struct JavaWatch {
  /// A program of a process: `exec` keeps the process's start, and another process of its number has another.
  struct Program: Hashable {
    var process: UInt32
    var startTicks: UInt64
    /// By device and inode.
    var file: String
  }
  private struct Known {
    /// Before that a JVM may not have its signal handlers yet.
    var due: ContinuousClock.Instant
    var isRecorded = false
    var failures = 0
    var problem: String?
    var isPassedOver = false
  }
  private var known: [Program: Known] = [:]
  private var isFirstLook = true

  private static let youngest = Duration.seconds(1.5)
  /// Doubled with each failure.
  private static let retry = 10
  private static let longestRetry = 640

  /// The programs of those processes, or of all there are.
  static func look(_ processes: [UInt32]?) -> [Program] {
    let all = processes ?? DirectoryListing.names(in: "/proc").compactMap { UInt32($0) }
    return all.compactMap { process in
      guard let stat = try? contents(of: "/proc/\(process)/stat", limit: 1 << 16), let start = JavaTarget.startTicks(stat) else {
        return nil
      }
      return Program(process: process, startTicks: start, file: JavaTarget.program(of: process))
    }
  }

  /// Those of `found` that are to be asked now.
  mutating func due(_ found: [Program], everyProcess: Bool) -> [Program] {
    let now = ContinuousClock.now
    var next: [Program: Known] = [:]
    var due: [Program] = []
    for one in found {
      // What ran before is as old as it says; what `exec` began is as old as it was seen.
      let begun = isFirstLook ? now - .seconds(Self.age(one.startTicks)) : now
      let state = known[one] ?? Known(due: begun + Self.youngest)
      next[one] = state
      if !state.isRecorded, !state.isPassedOver, state.due <= now { due.append(one) }
    }
    // A recording that is ending still counts.
    for (one, state) in known where state.isRecorded && next[one] == nil { next[one] = state }
    known = next
    isFirstLook = false
    return due
  }

  private static func age(_ startTicks: UInt64) -> Double {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_BOOTTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 - Double(startTicks) / 100
  }

  /// It is no JVM, and will not become one.
  mutating func passOver(_ one: Program) { known[one]?.isPassedOver = true }

  /// - Returns: `false` when that would be more than `limit` at a time.
  mutating func begin(_ one: Program, limit: Int) -> Bool {
    guard known.values.count(where: \.isRecorded) < limit else { return false }
    known[one]?.isRecorded = true
    return true
  }

  /// - Returns: whether `problem` is another one than before.
  mutating func end(_ one: Program, _ problem: String?) -> Bool {
    guard var state = known[one] else { return problem != nil }
    state.isRecorded = false
    let isNews = problem != nil && problem != state.problem
    // Ended because its order did: it may be ordered again at once.
    state.failures = problem == nil ? 0 : state.failures + 1
    state.problem = problem
    let seconds = problem == nil ? 0 : min(Self.retry << min(state.failures - 1, 8), Self.longestRetry)
    state.due = .now + .seconds(seconds)
    known[one] = state
    return isNews
  }
}
