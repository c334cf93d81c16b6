package import Configuration
import Synchronization
package import Targets

/// What asking a source came to.
package struct Discovered: Hashable, Sendable {
  package var targets: [LabelSet]
  /// Why this is not all there is; `nil` when it is.
  package var problem: String?
  /// Whether it is followed by somebody else, so that asking costs nothing and is done at every refresh.
  package var isFollowed: Bool
  package init(targets: [LabelSet], problem: String? = nil, isFollowed: Bool = false) {
    self.targets = targets
    self.problem = problem
    self.isFollowed = isFollowed
  }
}

/// Tells the agent that a source which is followed has something new.
package final class DiscoveryNews: Sendable {
  private let listener = Mutex<(@Sendable () -> Void)?>(nil)
  package init() {}
  package func tell() { listener.withLock { $0 }?() }
  func listen(_ body: @escaping @Sendable () -> Void) { listener.withLock { $0 = body } }
}

/// What the sources of a configuration have found, and when each is to be asked again.
///
/// What was there at the refresh before stays known until the next one: samples of a container that has just gone are still
/// in the window.
package final class DiscoveredTargets: Sendable {
  /// Of sources that do not say: those that hear of changes by themselves.
  static let defaultInterval: UInt64 = 5_000_000_000

  private struct State {
    var current: [String: [LabelSet]] = [:]
    var before: [String: [LabelSet]] = [:]
    var due: [String: UInt64] = [:]
    var problems: [String: String] = [:]
    /// Counts refreshes.
    var refreshes: UInt64 = 0
    /// Of both, those of the refresh before first.
    var all: [String: [LabelSet]] = [:]
  }
  private let state = Mutex(State())

  package init() {}

  /// By component, those of the refresh before first: of two targets about one thing the later counts.
  package var all: [String: [LabelSet]] { state.withLock { $0.all } }

  /// How often sources were asked.
  var refresh: UInt64 { state.withLock { $0.refreshes } }

  /// The same as `all` with the number of the refresh it is from; `nil` when that is `refresh`.
  func all(since refresh: UInt64?) -> (refresh: UInt64, targets: [String: [LabelSet]])? {
    state.withLock { $0.refreshes == refresh ? nil : ($0.refreshes, $0.all) }
  }

  package var current: [String: [LabelSet]] { state.withLock { $0.current } }

  /// Components that could not be asked wholly, and why.
  package var problems: [String: String] { state.withLock { $0.problems } }

  /// Asks every source whose time has come, each after those it refers to.
  /// - Returns: when the next one is due.
  package func refresh(
    _ configuration: Configuration, now: UInt64, ask: (Configuration.Component, DecodedBlock) -> Discovered?
  ) -> UInt64 {
    var (known, due) = state.withLock { ($0.current, $0.due) }
    var before = state.withLock { $0.before }
    var problems: [String: String] = [:]
    var next: [String: UInt64] = [:]
    var followed: Set<String> = []
    _ = configuration.evaluate { component, arguments in
      let id = component.id
      let interval = arguments.duration("refresh_interval")
      let wait = interval > 0 ? UInt64(interval) : Self.defaultInterval
      if let time = due[id], time > now {
        next[id] = min(time, now &+ wait)
        problems[id] = state.withLock { $0.problems[id] }
        return known[id] ?? []
      }
      next[id] = now &+ wait
      guard let found = ask(component, arguments) else {
        problems[id] = "this version of pyrorec cannot ask it"
        return []
      }
      problems[id] = found.problem
      if found.isFollowed {
        next[id] = now &+ Self.defaultInterval
        followed.insert(id)
        // What was told before the last change, however often it was asked for since.
        if known[id] == found.targets { return found.targets }
      }
      // A source that cannot be asked is taken to be as it was.
      if found.targets.isEmpty, found.problem != nil, let last = known[id] { return last }
      before[id] = known[id]
      known[id] = found.targets
      return found.targets
    }
    due = next.filter { !followed.contains($0.key) }
    let ids = Set(next.keys)
    let (current, earlier, why) = (known.filter { ids.contains($0.key) }, before.filter { ids.contains($0.key) }, problems)
    let all = current.merging(earlier) { now, before in
      let known = Set(now)
      return before.filter { !known.contains($0) } + now
    }
    state.withLock {
      $0 = State(current: current, before: earlier, due: due, problems: why, refreshes: $0.refreshes &+ 1, all: all)
    }
    return next.values.min() ?? now &+ Self.defaultInterval
  }

  /// Everything is asked again at the next refresh: the configuration has changed.
  package func expire() { state.withLock { $0.due = [:] } }
}
