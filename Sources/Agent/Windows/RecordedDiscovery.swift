import Base
import Dispatch
import Recorder
import Synchronization
import Targets
package import TraceFormat

/// Writes what discovery says into the segments of the windows it says it in: what was known when a window began, and what
/// came while it was recorded, each target once a segment. With it `label` gives a window's samples the same labels again,
/// also where its recorder was killed.
package final class RecordedDiscovery: FactSource {
  /// Of the labels of one segment: some 30,000 containers. What is above is known to the agent alone.
  static let maximumBytes = 8 << 20

  private struct State {
    var written: [String: Set<LabelSet>] = [:]
    var bytes = 0
    /// Which refresh was looked at last.
    var refresh: UInt64?
    /// What is not in the segment yet.
    var waiting: [(component: String, targets: [[TargetLabelsRecord.Label]])] = []
  }
  private let state = Mutex(State())
  private let discovered: DiscoveredTargets
  /// Comparing ten thousand targets takes longer than the thread that records may wait.
  private let queue = DispatchQueue(label: "pyrorec.targets", qos: .utility)

  package init(_ discovered: DiscoveredTargets) { self.discovered = discovered }

  /// For the beginning of a segment: all that is known.
  package func begin(time: UInt64) -> [TraceRecord] {
    state.withLock { state in
      state = State()
      look(&state)
      return Self.records(&state, time)
    }
  }

  package func take(time: UInt64, isLast: Bool) -> [TraceRecord] {
    if isLast {
      return state.withLock { state in
        look(&state)
        return Self.records(&state, time)
      }
    }
    let found = state.withLockIfAvailable { (records: Self.records(&$0, time), refresh: $0.refresh) }
    guard let found else { return [] }
    if discovered.refresh != found.refresh { queue.async { self.state.withLock { self.look(&$0) } } }
    return found.records
  }

  private func look(_ state: inout State) {
    guard let (refresh, now) = discovered.all(since: state.refresh) else { return }
    state.refresh = refresh
    for component in now.keys.sorted() {
      var fresh: [[TargetLabelsRecord.Label]] = []
      for target in now[component] ?? [] where state.bytes < Self.maximumBytes {
        guard state.written[component, default: []].insert(target).inserted else { continue }
        let labels = target.recorded
        state.bytes += labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        fresh.append(labels)
      }
      if !fresh.isEmpty { state.waiting.append((component, fresh)) }
    }
  }

  private static func records(_ state: inout State, _ time: UInt64) -> [TraceRecord] {
    defer { state.waiting = [] }
    return state.waiting.map {
      .targets(TargetsRecord(component: $0.component, time: MonotonicInstant(nanoseconds: time), targets: $0.targets))
    }
  }
}
