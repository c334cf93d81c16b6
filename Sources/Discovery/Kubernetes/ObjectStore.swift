import Synchronization

/// A cluster's objects as its watches know them, shared by all of one source.
final class ObjectStore: Sendable {
  /// Of one resource; above it new ones are left out and counted.
  static let maximumObjects = 200_000

  private struct State {
    var objects: KubernetesTargets.Objects = [:]
    /// By list.
    var leftOut: [KubernetesResource: [String: Int]] = [:]
    /// Lists that are whole once, of those that are waited for.
    var listed: Set<String> = []
  }
  private let state = Mutex(State())
  /// Set with every change.
  let changed: Waker

  init() throws(DiscoveryError) { changed = try Waker() }

  /// A list is whole: what was known of `namespace` (empty: of all) is replaced.
  func replace(_ resource: KubernetesResource, namespace: String, with objects: [String: KubernetesObject], leftOut: Int) {
    state.withLock { state in
      var known = state.objects[resource] ?? [:]
      if namespace.isEmpty {
        known = objects
      } else {
        known = known.filter { !$0.key.hasPrefix(namespace + "/") }
        known.merge(objects) { $1 }
      }
      state.objects[resource] = known
      state.leftOut[resource, default: [:]][namespace] = leftOut
      state.listed.insert("\(resource.rawValue)/\(namespace)")
    }
    changed.set()
  }

  /// - Parameter object: `nil` when it is gone.
  func set(_ resource: KubernetesResource, _ key: String, _ object: KubernetesObject?) {
    let isNews = state.withLock { state -> Bool in
      if let object {
        let count = state.objects[resource]?.count ?? 0
        if state.objects[resource]?[key] == nil, count >= Self.maximumObjects {
          state.leftOut[resource, default: [:]]["", default: 0] += 1
          return false
        }
        if state.objects[resource]?[key] == object { return false }
        state.objects[resource, default: [:]][key] = object
      } else {
        return state.objects[resource]?.removeValue(forKey: key) != nil
      }
      return true
    }
    if isNews { changed.set() }
  }

  /// Everything, once each of `lists` was whole; `nil` before.
  func snapshot(after lists: Set<String>) -> (objects: KubernetesTargets.Objects, notes: [String])? {
    state.withLock { state in
      guard state.listed.isSuperset(of: lists) else { return nil }
      let notes = KubernetesResource.allCases.compactMap { resource -> String? in
        let count = state.leftOut[resource]?.values.reduce(0, +) ?? 0
        guard count > 0 else { return nil }
        return "\(count) \(resource.rawValue) above \(Self.maximumObjects) are left out: use selectors or namespaces"
      }
      return (state.objects, notes)
    }
  }
}
