import Agent
import ArgumentParser
import Base
import Configuration
import Discovery
import Recorder
import Synchronization
import Targets
import TraceFormat

/// What the sources of a configuration tell while a recording goes on, as records of its trace: each target once.
final class RecordedTargets: FactSource {
  /// Of all labels of all targets: a cluster's pods take a few kilobytes each.
  static let maximumBytes = 256 << 20
  /// Services are asked more often than the configuration says: a recording may be shorter than a refresh.
  private static let refreshMilliseconds = 5_000
  /// How long the recording waits for the first answers.
  private static let firstPatience = 5_000

  fileprivate struct State {
    var seen: Set<Key> = []
    var waiting: [(component: String, targets: [[TargetLabelsRecord.Label]])] = []
    var bytes = 0
    var leftOut = 0
  }
  fileprivate struct Key: Hashable {
    let component: String
    let target: LabelSet
  }
  fileprivate final class Shared: Sendable {
    let state = Mutex(State())
  }
  private let shared = Shared()
  private let hub: DiscoveryHub
  private let stop: Waker

  /// Starts the sources and waits until each has answered once or failed, a few seconds at most.
  init(_ configuration: Configuration, warn: @escaping @Sendable (String) -> Void) throws(DiscoveryError) {
    stop = try Waker()
    let warned = Warnings()
    hub = DiscoveryHub(
      make: { (component, arguments) throws(DiscoveryError) in
        try NetworkSource.make(component, arguments, atLeastEveryMilliseconds: Self.refreshMilliseconds)
      },
      onChange: { [shared] component, state in
        for text in state.notes + (state.problem.map { [$0.description] } ?? []) where warned.isNew(component + text) {
          warn("\(component): \(text)")
        }
        shared.take(component, state.targets)
      })
    let hub = hub
    _ = configuration.evaluate { component, arguments in hub.state(of: component, arguments)?.targets ?? [] }
    hub.waitForFirst(milliseconds: Self.firstPatience)
  }

  func take(time: UInt64, isLast: Bool) -> [TraceRecord] {
    // What began since the last refresh.
    if isLast { hub.askAgain(until: stop) }
    return shared.state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting.map {
        .targets(
          TargetsRecord(component: $0.component, time: MonotonicInstant(nanoseconds: time), targets: $0.targets))
      }
    }
  }

  /// Targets that are not in the trace because they would take too much of it.
  var leftOut: Int { shared.state.withLock { $0.leftOut } }

  private final class Warnings: Sendable {
    private static let maximum = 100
    private let said = Mutex<Set<String>>([])
    func isNew(_ text: String) -> Bool { said.withLock { $0.count < Self.maximum && $0.insert(text).inserted } }
  }
}

extension RecordedTargets.Shared {
  fileprivate func take(_ component: String, _ targets: [LabelSet]) {
    state.withLock { state in
      var fresh: [[TargetLabelsRecord.Label]] = []
      for target in targets where state.seen.insert(.init(component: component, target: target)).inserted {
        let labels = target.recorded.map { label in
          TargetLabelsRecord.Label(name: label.name, value: Self.cut(label.value))
        }
        state.bytes += labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard state.bytes <= RecordedTargets.maximumBytes else {
          state.leftOut += 1
          continue
        }
        fresh.append(labels)
      }
      guard !fresh.isEmpty else { return }
      state.waiting.append((component, fresh))
    }
  }

  /// As much as a text of the trace may have.
  private static func cut(_ text: String) -> String {
    if text.utf8.count <= Limits.textByteCount { return text }
    var bytes = Array(text.utf8.prefix(Limits.textByteCount))
    // Not within a character: at most three bytes of one are left.
    while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
    bytes.removeLast()
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Console {
  /// Something to stop requests with; never set by `check`.
  func waker() throws -> Waker {
    do throws(DiscoveryError) {
      return try Waker()
    } catch {
      self.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
  }

  /// Starts the sources of the configuration in the file at `path`.
  func recordedTargets(_ path: String) throws -> RecordedTargets {
    let configuration = try configuration(path)
    do throws(DiscoveryError) {
      return try RecordedTargets(configuration) { warning($0) }
    } catch {
      self.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
  }
}
