import Dispatch
import HTTP

/// `discovery.kubernetes`: what a cluster's API says there is, listed once and watched from then on.
package struct KubernetesSource: TargetSource {
  /// Changes are told of at most so often, as Alloy does.
  private static let intervalMilliseconds = 5_000
  private let options: KubernetesOptions
  private let makeTransport: ServerClient.TransportMaker
  private var interval = KubernetesSource.intervalMilliseconds
  private var firstWait: Int?

  package init(_ options: KubernetesOptions, makeTransport: @escaping ServerClient.TransportMaker = ServerClient.curl) {
    self.options = options
    self.makeTransport = makeTransport
  }

  /// For tests: without their patience.
  init(_ options: KubernetesOptions, hurried: Int, makeTransport: @escaping ServerClient.TransportMaker) {
    self.init(options, makeTransport: makeTransport)
    interval = hurried
    firstWait = hurried
  }

  package var isAskedInIntervals: Bool { false }

  private func lists() throws(DiscoveryError) -> [ObjectList] {
    let namespaces = try options.askedNamespaces()
    return options.resources.flatMap { resource in
      (resource.isNamespaced ? namespaces : [""]).map { namespace in
        ObjectList(resource: resource, namespace: namespace, selector: resource.role.flatMap { options.selectors[$0] } ?? .init())
      }
    }
  }

  package func find(until stop: Waker) throws(DiscoveryError) -> Found {
    let store = try ObjectStore()
    let lists = try lists()
    let client = try ServerClient(try options.cluster.connect(), until: stop, makeTransport)
    for list in lists {
      let listed = try list.list(client)
      store.replace(list.resource, namespace: list.namespace, with: listed.objects, leftOut: listed.leftOut)
    }
    return found(store, Set(lists.map(\.key))) ?? Found([])
  }

  package func follow(until stop: Waker, _ tell: @Sendable (Result<Found, DiscoveryError>) -> Void) {
    let followed: (store: ObjectStore, lists: [ObjectList])
    // What is missing on the machine may come.
    while true {
      do throws(DiscoveryError) {
        followed = (try ObjectStore(), try lists())
        break
      } catch {
        tell(.failure(error))
        if stop.wait(milliseconds: interval) { return }
      }
    }
    let (store, lists) = followed
    withoutActuallyEscaping(tell) { tell in
      let group = DispatchGroup()
      for list in lists {
        var follower = ListFollower(
          list: list, cluster: options.cluster, store: store, stop: stop, makeTransport: makeTransport, fail: { tell(.failure($0)) })
        if let firstWait { follower.firstWait = firstWait }
        DispatchQueue(label: "pyrorec.discovery.\(list.key)", qos: .utility).async(group: group) { [follower] in follower.run() }
      }
      let keys = Set(lists.map(\.key))
      while !stop.isSet {
        _ = Waker.wait([store.changed, stop], milliseconds: .max)
        store.changed.clear()
        if stop.isSet { break }
        if let found = found(store, keys) {
          tell(.success(found))
          // Changes that come together are told of together.
          stop.wait(milliseconds: interval)
        }
      }
      group.wait()
    }
  }

  private func found(_ store: ObjectStore, _ lists: Set<String>) -> Found? {
    guard let (objects, notes) = store.snapshot(after: lists) else { return nil }
    var found = KubernetesTargets(options, objects).make()
    found.notes += notes
    return found
  }
}
