import HTTP

/// Keeps one list of a cluster in a store, by listing and watching, whatever the server does.
struct ListFollower {
  /// client-go's: the first wait after a failure, and the longest.
  private static let firstWait = 800
  private static let longestWait = 30_000
  /// A watch that ends sooner without a word is a failure.
  private static let shortest = Duration.seconds(1)
  /// One that lives as long worked, however it ends.
  private static let healthy = Duration.seconds(10)

  let list: ObjectList
  let cluster: any ClusterAccess
  let store: ObjectStore
  let stop: Waker
  let makeTransport: ServerClient.TransportMaker
  /// Told of each failure.
  let fail: @Sendable (DiscoveryError) -> Void
  /// The wait before the first try again, in milliseconds.
  var firstWait = ListFollower.firstWait

  func run() {
    var wait = firstWait
    while !stop.isSet {
      do throws(DiscoveryError) {
        let client = try ServerClient(try cluster.connect(), until: stop, makeTransport)
        let listed = try list.list(client)
        store.replace(list.resource, namespace: list.namespace, with: listed.objects, leftOut: listed.leftOut)
        try follow(client, listed, &wait)
      } catch {
        if error.kind == .stopped { return }
        // What is too old is listed anew at once, unless that was no better the last time.
        let isHurried = error.kind == .expired && wait == firstWait
        if !isHurried { fail(error) }
        stop.wait(milliseconds: isHurried ? firstWait / 8 : wait)
        wait = min(wait * 2, Self.longestWait)
      }
    }
  }

  /// Watches again and again, until what it knows is too old or the server fails for good.
  private func follow(_ client: ServerClient, _ listed: ObjectList.Listed, _ wait: inout Int) throws(DiscoveryError) {
    var version = listed.version
    while !stop.isSet {
      let before = version
      let start = ContinuousClock.now
      do throws(DiscoveryError) {
        try list.watch(client, listed.root, from: &version) { event in
          switch event {
          case .set(let key, let object): store.set(list.resource, key, object)
          case .gone(let key): store.set(list.resource, key, nil)
          }
        }
        if ContinuousClock.now - start >= Self.shortest || version != before {
          wait = firstWait
          continue
        }
        throw DiscoveryError("\(client.access.shown): the watch of \(list.resource.rawValue) ends at once", .unreachable)
      } catch {
        // A server that is away, or has too much to do, still knows the version; everything else is asked for anew.
        if version != before || ContinuousClock.now - start >= Self.healthy { wait = firstWait }
        guard error.kind == .unreachable, wait < Self.longestWait else { throw error }
        fail(error)
        if stop.wait(milliseconds: wait) { return }
        wait = min(wait * 2, Self.longestWait)
      }
    }
  }
}
