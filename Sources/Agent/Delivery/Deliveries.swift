import Dispatch
import Synchronization
import Uploader

/// The endpoints of the configuration, each delivering on a thread of its own.
final class Deliveries: Sendable {
  private struct Running: Sendable {
    var settings: EndpointSettings
    var clock: AgentClock
  }
  private let spool: Spool
  private let metrics: Metrics
  private let log: @Sendable (AgentMessage) -> Void
  private let state = Mutex(State())
  private struct State {
    var running: [Running] = []
    /// By key: an endpoint's work is done one after the other, also across configurations.
    var queues: [String: DispatchQueue] = [:]
    /// By batch: who has all of it.
    var delivered: [String: Set<String>] = [:]
  }
  private let working = DispatchGroup()

  init(_ spool: Spool, _ metrics: Metrics, _ log: @escaping @Sendable (AgentMessage) -> Void) {
    self.spool = spool
    self.metrics = metrics
    self.log = log
  }

  /// Goes on with other endpoints: those before end what they are sending and no more.
  /// - Throws: when one cannot be; then all is as it was.
  func replace(with endpoints: [EndpointSettings]) throws(AgentError) {
    var opened: [(settings: EndpointSettings, destination: any ProfileDestination)] = []
    for settings in endpoints {
      do throws(UploadError) {
        let destination = try Destinations.open(settings.url, settings.options)
        for warning in destination.warnings { log(.warning("\(settings.receiver): \(warning)")) }
        opened.append((settings, destination))
      } catch { throw .endpoint("\(settings.receiver), endpoint \(settings.title)", why: "\(error)") }
    }
    let new = opened.map { Running(settings: $0.settings, clock: AgentClock()) }
    let (before, queues) = state.withLock { state in
      let before = state.running
      state.running = new
      for each in new where state.queues[each.settings.key] == nil {
        state.queues[each.settings.key] = DispatchQueue(label: "pyrorec.delivery")
      }
      return (before, state.queues)
    }
    for each in before { each.clock.stop() }
    for (each, destination) in zip(new, opened.map(\.destination)) {
      queues[each.settings.key]?.async(group: working) { self.run(each.settings, destination, each.clock) }
    }
    sweep()
  }

  /// There is a new batch.
  func wake() {
    sweep()
    for each in state.withLock({ $0.running }) { each.clock.wake() }
  }

  /// Delivers what is left without long waits, until all is delivered or `nanoseconds` are over.
  func drain(nanoseconds: UInt64) {
    let running = state.withLock { $0.running }
    for each in running { each.clock.hurry() }
    if working.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds))) == .success { return }
    for each in running { each.clock.stop() }
    // An attempt that is under way is waited for: whether it got through would not be known otherwise.
    let longest = running.map(\.settings.options.requestTimeoutMilliseconds).max() ?? 0
    _ = working.wait(timeout: .now() + .milliseconds(min(longest, 60_000)))
  }

  private func run(_ settings: EndpointSettings, _ destination: any ProfileDestination, _ clock: AgentClock) {
    let labels = [settings.receiver, settings.title]
    var delivery = EndpointDelivery(settings, to: destination, clock: clock, seed: .random(in: 0...UInt64.max)) { [metrics, log] event in
      switch event {
      case .sent(let bytes):
        metrics.add("pyroscope_write_sent_profiles_total", 1, labels)
        metrics.add("pyroscope_write_sent_bytes_total", Double(bytes), labels)
      case .refused(let bytes, let title, let reason):
        metrics.add("pyroscope_write_dropped_profiles_total", 1, labels)
        metrics.add("pyroscope_write_dropped_bytes_total", Double(bytes), labels)
        log(.warning("\(settings.title): \(title) was refused: \(reason)"))
      case .waiting(let reason, let milliseconds):
        metrics.add("pyroscope_write_retries_total", 1, labels)
        log(.note("\(settings.title): \(reason); the next attempt follows in \(Double(milliseconds / 100) / 10) s"))
      case .recovered: log(.note("\(settings.title): takes profiles again"))
      case .note(let text): log(.warning("\(settings.title): \(text)"))
      case .unreadable(let batch, let reason):
        metrics.add("pyrorec_spool_unreadable_total")
        log(.error("\(batch): \(reason); what was in it is lost"))
      case .unnoted(let why): log(.warning("what was sent cannot be noted, so it may be sent again: \(why)"))
      }
    }
    while !clock.isStopped {
      let names = spool.batchNames()
      guard let name = delivery.next(of: names) else {
        if clock.isHurried, !delivery.hasMore(of: spool.batchNames()) { break }
        clock.waitForNews(nanoseconds: clock.isHurried ? 100_000_000 : 5_000_000_000)
        continue
      }
      if delivery.deliver(name, in: spool, shouldStop: { clock.isStopped }) == .delivered {
        state.withLock { _ = $0.delivered[name, default: []].insert(settings.key) }
        sweep()
      }
    }
  }

  /// Takes away the batches that everybody has.
  private func sweep() {
    let names = spool.batchNames()
    let finished: [String] = state.withLock { state in
      let known = Set(names)
      state.delivered = state.delivered.filter { known.contains($0.key) }
      let keys = Set(state.running.map(\.settings.key))
      // Nobody takes anything: it waits until somebody does.
      if keys.isEmpty { return [] }
      return names.filter { keys.isSubset(of: state.delivered[$0] ?? []) }
    }
    for name in finished { spool.removeBatch(name) }
  }
}
