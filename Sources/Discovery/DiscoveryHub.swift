import Synchronization
package import Configuration

/// The kinds of sources that are asked over the network: a new one is named here.
package enum NetworkSource {
  /// `nil` when the component is of no such kind.
  package static func make(
    _ component: Configuration.Component, _ arguments: DecodedBlock
  ) throws(DiscoveryError) -> (any TargetSource)? {
    try make(component, arguments, atLeastEveryMilliseconds: .max)
  }

  /// - Parameters:
  ///   - interval: what is asked again and again is asked at least so often.
  package static func make(
    _ component: Configuration.Component, _ arguments: DecodedBlock, atLeastEveryMilliseconds interval: Int,
    by makeTransport: @escaping ServerClient.TransportMaker = ServerClient.curl, on environment: ClusterEnvironment = .live
  ) throws(DiscoveryError) -> (any TargetSource)? {
    switch component.kind.name {
    case ComponentKind.discoveryDocker.name:
      var options = try DockerOptions(arguments, by: makeTransport)
      options.refreshMilliseconds = min(options.refreshMilliseconds, interval)
      return DockerSource(options, makeTransport: makeTransport)
    case ComponentKind.discoveryKubernetes.name:
      return KubernetesSource(try KubernetesOptions(arguments, environment, by: makeTransport), makeTransport: makeTransport)
    default: return nil
    }
  }
}

/// The sources of a configuration, each followed from the moment it is first asked for: what `Configuration.evaluate` wants.
package final class DiscoveryHub: Sendable {
  package typealias SourceMaker =
    @Sendable (Configuration.Component, DecodedBlock) throws(DiscoveryError) -> (any TargetSource)?

  private enum Entry {
    case follows(DecodedBlock, Follower)
    /// What it is told makes no source.
    case failed(DecodedBlock, SourceState)

    var arguments: DecodedBlock {
      switch self {
      case .follows(let arguments, _), .failed(let arguments, _): arguments
      }
    }
    var state: SourceState {
      switch self {
      case .follows(_, let follower): follower.current
      case .failed(_, let state): state
      }
    }
  }
  private let entries = Mutex<[String: Entry]>([:])
  private let make: SourceMaker
  private let onChange: @Sendable (_ component: String, SourceState) -> Void

  /// - Parameter onChange: told of everything that a source says, on its thread.
  package init(
    make: @escaping SourceMaker = NetworkSource.make,
    onChange: @escaping @Sendable (_ component: String, SourceState) -> Void = { _, _ in }
  ) {
    self.make = make
    self.onChange = onChange
  }

  /// What a component has found until now; `nil` when it is none of the network's. One whose arguments are others than
  /// before begins anew.
  package func state(of component: Configuration.Component, _ arguments: DecodedBlock) -> SourceState? {
    let id = component.id
    // Within the lock: the same source is not to be made twice.
    return entries.withLock { entries in
      if let entry = entries[id], entry.arguments == arguments { return entry.state }
      do throws(DiscoveryError) {
        guard let source = try make(component, arguments) else { return nil }
        let follower = try Follower(source) { [onChange] in onChange(id, $0) }
        entries[id] = .follows(arguments, follower)
        return follower.current
      } catch {
        var state = SourceState()
        state.take(.failure(error))
        entries[id] = .failed(arguments, state)
        onChange(id, state)
        return state
      }
    }
  }

  /// Asks those sources once more that answered last time and do not tell by themselves what changes.
  package func askAgain(until stop: Waker) {
    let followers = entries.withLock { entries in
      entries.sorted { $0.key < $1.key }.compactMap { if case .follows(_, let follower) = $0.value { follower } else { nil } }
    }
    for follower in followers { follower.askAgain(until: stop) }
  }

  /// Ends the sources of components that are not among `ids`.
  package func keep(only ids: Set<String>) {
    // Ends after the lock is left.
    _ = entries.withLock { entries in
      let gone = entries.filter { !ids.contains($0.key) }
      for id in gone.keys { entries[id] = nil }
      return gone.values.map(\.state.answers)
    }
  }

  /// Every source by its component, sorted.
  package var states: [(component: String, state: SourceState)] {
    entries.withLock { entries in entries.map { ($0.key, $0.value.state) } }.sorted { $0.0 < $1.0 }
  }

  /// Waits until each source has answered or failed once, so long at most for all of them.
  package func waitForFirst(milliseconds: Int) {
    let followers = entries.withLock { entries in
      entries.sorted { $0.key < $1.key }.compactMap { if case .follows(_, let follower) = $0.value { follower } else { nil } }
    }
    let start = ContinuousClock.now
    for follower in followers {
      let passed = (ContinuousClock.now - start) / .milliseconds(1)
      follower.waitForFirst(milliseconds: max(0, milliseconds - Int(passed)))
    }
  }
}
