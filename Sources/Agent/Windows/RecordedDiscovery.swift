import Base
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
  }
  private let state = Mutex(State())
  private let discovered: DiscoveredTargets

  package init(_ discovered: DiscoveredTargets) { self.discovered = discovered }

  /// For the beginning of a segment: all that is known.
  package func begin(time: UInt64) -> [TraceRecord] {
    state.withLock { $0 = State() }
    return take(time: time, isLast: false)
  }

  package func take(time: UInt64, isLast: Bool) -> [TraceRecord] {
    state.withLock { state in
      var records: [TraceRecord] = []
      // Asked for about once a second by the thread that records: mostly there is nothing new.
      guard let (refresh, now) = discovered.all(since: state.refresh) else { return records }
      state.refresh = refresh
      for component in now.keys.sorted() {
        var fresh: [[TargetLabelsRecord.Label]] = []
        for target in now[component] ?? [] where state.bytes < Self.maximumBytes {
          guard state.written[component, default: []].insert(target).inserted else { continue }
          let labels = target.recorded
          state.bytes += labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
          fresh.append(labels)
        }
        if fresh.isEmpty { continue }
        records.append(.targets(TargetsRecord(component: component, time: MonotonicInstant(nanoseconds: time), targets: fresh)))
      }
      return records
    }
  }
}
