import Dispatch
import Synchronization

/// Windows that wait for their profiles to be made, oldest first.
final class WindowQueue: Sendable {
  private struct State {
    var waiting: [String] = []
    var current: String?
    var isFinished = false
  }
  private let state = Mutex(State())
  private let changes = DispatchSemaphore(value: 0)

  func add(_ windows: [String]) {
    state.withLock { $0.waiting += windows }
    changes.signal()
  }

  /// No more will come.
  func finish() {
    state.withLock { $0.isFinished = true }
    changes.signal()
  }

  /// The next one; `nil` when there will be none.
  func next() -> String? {
    while true {
      let (next, isFinished) = state.withLock { state in
        state.current = state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        return (state.current, state.isFinished)
      }
      if let next { return next }
      if isFinished { return nil }
      changes.wait()
    }
  }

  /// Whether `window` waits or is being worked on.
  func contains(_ window: String) -> Bool { state.withLock { $0.current == window || $0.waiting.contains(window) } }
  var count: Int { state.withLock { $0.waiting.count } }
}
