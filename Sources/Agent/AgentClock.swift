import Dispatch
import Synchronization
import Uploader

/// The machine's clocks for one thread, whose sleeps others can end early.
final class AgentClock: UploadClock {
  /// When somebody waits for the end, nobody sleeps longer.
  private static let hurriedNanoseconds: UInt64 = 500_000_000

  private let machine = SystemClock()
  private let state = Mutex((isHurried: false, isStopped: false))
  private let changes = DispatchSemaphore(value: 0)

  func unixNanoseconds() -> Int64 { machine.unixNanoseconds() }
  func monotonicNanoseconds() -> UInt64 { machine.monotonicNanoseconds() }

  /// From now on sleeps are short.
  func hurry() {
    state.withLock { $0.isHurried = true }
    wake()
  }
  /// From now on nobody sleeps.
  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
  }
  /// Ends a wait for news.
  func wake() { changes.signal() }

  var isStopped: Bool { state.withLock { $0.isStopped } }
  var isHurried: Bool { state.withLock { $0.isHurried } }

  func sleep(nanoseconds: UInt64) {
    let start = monotonicNanoseconds()
    while true {
      let (isHurried, isStopped) = state.withLock { ($0.isHurried, $0.isStopped) }
      let limit = isHurried ? min(nanoseconds, Self.hurriedNanoseconds) : nanoseconds
      let passed = monotonicNanoseconds() &- start
      if isStopped || passed >= limit { return }
      waitForNews(nanoseconds: limit - passed)
    }
  }

  /// Until somebody wakes this thread, at most so long.
  func waitForNews(nanoseconds: UInt64) {
    _ = changes.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds)))
  }
}
