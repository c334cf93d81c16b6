import Dispatch
import Synchronization

/// Follows one source on a thread of its own, and knows what it said last.
package final class Follower: Sendable {
  private final class Shared: Sendable {
    let state = Mutex(SourceState())
  }
  private let shared = Shared()
  private let source: any TargetSource
  private let onChange: @Sendable (SourceState) -> Void
  private let stopping: Waker
  private let answered: Waker

  /// - Parameter onChange: told, on that thread, of everything the source says.
  package init(
    _ source: any TargetSource, onChange: @escaping @Sendable (SourceState) -> Void = { _ in }
  ) throws(DiscoveryError) {
    self.source = source
    self.onChange = onChange
    stopping = try Waker()
    answered = try Waker()
    // Not `self`: the thread may outlive it by the second that a request takes to stop.
    DispatchQueue(label: "pyrorec.discovery", qos: .utility).async { [shared, stopping, answered] in
      source.follow(until: stopping) { result in
        let now = shared.state.withLock { state in
          state.take(result)
          return state
        }
        answered.set()
        onChange(now)
      }
    }
  }

  deinit { stopping.set() }

  package var current: SourceState { shared.state.withLock { $0 } }

  /// Asks once more on this thread, unless it failed the last time or tells by itself.
  func askAgain(until stop: Waker) {
    guard source.isAskedInIntervals, current.problem == nil else { return }
    let result = Result { () throws(DiscoveryError) in try source.find(until: stop) }
    let now = shared.state.withLock { state in
      state.take(result)
      return state
    }
    onChange(now)
  }

  /// Waits for the first answer or failure, so long at most.
  package func waitForFirst(milliseconds: Int) { answered.wait(milliseconds: milliseconds) }
}

extension SourceState {
  mutating func take(_ result: Result<Found, DiscoveryError>) {
    switch result {
    case .success(let found):
      targets = found.targets
      notes = found.notes
      problem = nil
      hasAnswered = true
      answers &+= 1
    case .failure(let error):
      problem = error
      failures &+= 1
    }
  }
}
