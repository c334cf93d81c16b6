import Base
import HTTP
import Synchronization
import Targets
import TestSupport
import Testing
@testable import Discovery

private struct Cluster: ClusterAccess {
  var address: String
  func connect() throws(DiscoveryError) -> ServerAccess { ServerAccess(address: address) }
}

private func pod(_ name: String, version: Int = 1) -> String {
  """
  {"metadata":{"name":"\(name)","namespace":"shop","resourceVersion":"\(version)"},"spec":{"containers":[{"name":"c"}]},"status":{"podIP":"10.0.0.1"}}
  """
}
private func list(_ pods: [String], version: Int, next: String = "") -> LoopbackAnswer {
  .respond(
    status: 200,
    text: "{\"metadata\":{\"resourceVersion\":\"\(version)\",\"continue\":\"\(next)\"},\"items\":[\(pods.joined(separator: ","))]}")
}
private func event(_ type: String, _ object: String) -> [UInt8] {
  Array("{\"type\":\"\(type)\",\"object\":\(object)}\n".utf8.filter { $0 != 0x0a }) + [0x0a]
}
private func bookmark(_ version: Int) -> [UInt8] {
  event("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"\(version)\"}}")
}
private let expired = event("ERROR", "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}")

extension LoopbackRequest {
  fileprivate var isWatch: Bool { path.contains("watch=1") }
  /// The value of one of the query's parameters.
  fileprivate func parameter(_ name: String) -> String? {
    path.split(separator: "?").last?.split(separator: "&").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
  }
}

/// Follows the pods of a server that gives these answers, lists and watches each in turn, and the last from then on.
private final class Watched {
  let server: LoopbackServer
  private let follower: Follower
  private let states: Mutexed
  final class Mutexed: Sendable {
    let all = Mutex<[SourceState]>([])
  }

  init(lists: [LoopbackAnswer], watches: [LoopbackAnswer]) throws {
    let rest = Mutex((lists: lists, watches: watches))
    server = try LoopbackServer { request, _ in
      rest.withLock { rest in
        if request.isWatch { return rest.watches.count > 1 ? rest.watches.removeFirst() : rest.watches[0] }
        return rest.lists.count > 1 ? rest.lists.removeFirst() : rest.lists[0]
      }
    }
    let states = Mutexed()
    self.states = states
    let options = KubernetesOptions(.pod, Cluster(address: server.url))
    let source = KubernetesSource(options, hurried: 10) { (access) throws(HTTPError) in try CurlTransport(tls: access.tls) }
    follower = try Follower(source) { state in states.all.withLock { $0.append(state) } }
  }

  func wait(for names: [String]) throws {
    try waitUntil("\(names)") { self.follower.current.targets.map { $0["__meta_kubernetes_pod_name"] ?? "" } == names }
  }
  var problems: [DiscoveryError] { states.all.withLock { $0.compactMap(\.problem) } }
  var watches: [LoopbackRequest] { server.requests.filter(\.isWatch) }
  var lists: [LoopbackRequest] { server.requests.filter { !$0.isWatch } }
}

/// A watch that stays open and says nothing.
private let quiet = LoopbackAnswer.pieces(status: 200, [(60_000, [])])

@Suite struct KubernetesSourceTests {
  @Test func `what is listed is watched from there on, and comes, changes and goes`() throws {
    let watched = try Watched(
      lists: [list([pod("a")], version: 7)],
      watches: [
        .pieces(
          status: 200, [(0, event("ADDED", pod("b", version: 8))), (0, event("DELETED", pod("a", version: 9))), (0, bookmark(20))]),
        quiet,
      ])
    try watched.wait(for: ["b"])
    try waitUntil("the second watch") { watched.watches.count >= 2 }
    #expect(watched.lists.count == 1 && watched.problems.isEmpty)
    #expect(watched.lists[0].path == "/api/v1/pods?limit=500")
    #expect(watched.watches.prefix(2).map { $0.parameter("resourceVersion") } == ["7", "20"])
    #expect(watched.watches[0].parameter("allowWatchBookmarks") == "true" && watched.watches[0].headers["accept"] == "application/json")
  }

  @Test func `events that come in pieces are put together`() throws {
    let bytes = event("ADDED", pod("b", version: 8)) + event("ADDED", pod("c", version: 9))
    let pieces = stride(from: 0, to: bytes.count, by: 40).map { (2, Array(bytes[$0..<min($0 + 40, bytes.count)])) }
    let watched = try Watched(lists: [list([], version: 7)], watches: [.pieces(status: 200, pieces), quiet])
    try watched.wait(for: ["b", "c"])
    #expect(watched.problems.isEmpty)
  }

  @Test(arguments: [LoopbackAnswer.pieces(status: 200, [(0, expired)]), .respond(status: 410, text: "{\"message\":\"too old\"}")])
  func `what is too old is listed anew`(answer: LoopbackAnswer) throws {
    let watched = try Watched(
      lists: [list([pod("a")], version: 7), list([pod("b")], version: 30)], watches: [answer, quiet])
    try watched.wait(for: ["b"])
    try waitUntil("the second watch") { watched.watches.count >= 2 }
    #expect(watched.lists.count == 2 && watched.problems.isEmpty)
    #expect(watched.watches.map { $0.parameter("resourceVersion") } == ["7", "30"])
  }

  @Test func `a server that is away keeps its place, and what was known stays`() throws {
    let watched = try Watched(
      lists: [list([pod("a")], version: 7), .respond(status: 500, text: "")],
      watches: [.close, .respond(status: 503, text: ""), .pieces(status: 200, [(0, event("ADDED", pod("b", version: 8)))]), quiet])
    try watched.wait(for: ["a", "b"])
    #expect(watched.lists.count == 1)
    #expect(watched.problems.allSatisfy { $0.kind == .unreachable } && !watched.problems.isEmpty)
  }

  @Test(arguments: ["{\"type\":\"ADDED\",\"obj\n", "{}\n", "\u{0}\n", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n", "[[[[[\n"])
  func `a watch that sends what it should not is begun anew`(text: String) throws {
    let watched = try Watched(
      lists: [list([pod("a")], version: 7), list([pod("b")], version: 8)], watches: [.pieces(status: 200, [(0, Array(text.utf8))]), quiet])
    try watched.wait(for: ["b"])
    #expect(!watched.problems.isEmpty)
  }

  @Test func `a list in several answers is one, and begins again when it took too long`() throws {
    let watched = try Watched(
      lists: [
        list([pod("a")], version: 7, next: "x y"), .respond(status: 410, text: "{}"), list([pod("b")], version: 8, next: "z"),
        list([pod("c")], version: 8),
      ], watches: [quiet])
    try watched.wait(for: ["b", "c"])
    #expect(watched.lists.map { $0.parameter("continue") } == [nil, "x%20y", nil, "z"])
  }

  @Test func `selectors and namespaces go with the request, and an older API serves where the newer is not found`() throws {
    let server = try LoopbackServer { request, _ in
      if request.path.contains("/discovery.k8s.io/v1/") { return .respond(status: 404, text: "{}") }
      return list([], version: 1)
    }
    var options = KubernetesOptions(.endpointslice, Cluster(address: server.url))
    options.namespaces = ["shop", "a b", "shop"]
    options.attachesNamespace = true
    options.selectors[.pod] = .init()
    options.selectors[.pod]?.field = "spec.nodeName=n"
    options.selectors[.endpointslice] = .init()
    options.selectors[.endpointslice]?.label = "app in (x)"
    #expect(try KubernetesSource(options).find(until: Waker()) == Found([]))
    #expect(
      server.requests.map(\.path) == [
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=app%20in%20%28x%29&limit=500",
        "/apis/discovery.k8s.io/v1beta1/namespaces/shop/endpointslices?labelSelector=app%20in%20%28x%29&limit=500",
        "/apis/discovery.k8s.io/v1/namespaces/a%20b/endpointslices?labelSelector=app%20in%20%28x%29&limit=500",
        "/apis/discovery.k8s.io/v1beta1/namespaces/a%20b/endpointslices?labelSelector=app%20in%20%28x%29&limit=500",
        "/api/v1/namespaces/shop/services?limit=500", "/api/v1/namespaces/a%20b/services?limit=500",
        "/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dn&limit=500",
        "/api/v1/namespaces/a%20b/pods?fieldSelector=spec.nodeName%3Dn&limit=500", "/api/v1/namespaces?limit=500",
      ])
  }

  @Test func `more objects than are kept are counted, not kept`() throws {
    let store = try ObjectStore()
    store.replace(.pods, namespace: "", with: [:], leftOut: 7)
    #expect(
      store.snapshot(after: ["pods/"])?.notes == ["7 pods above 200000 are left out: use selectors or namespaces"])
    #expect(store.snapshot(after: ["nodes/"]) == nil)
  }

  @Test func `a refusal says what to do`() throws {
    for (status, advice) in [(401, "The credentials are not taken"), (403, "Give the user get, list and watch on what is asked for")] {
      let server = try LoopbackServer(answers: [.respond(status: status, text: "{\"message\":\"no\"}")])
      do {
        _ = try KubernetesSource(KubernetesOptions(.node, Cluster(address: server.url))).find(until: Waker())
        Issue.record("refused, and found something")
      } catch {
        #expect(error.description == "\(server.url)/api/v1/nodes answers HTTP \(status): no. \(advice)")
      }
    }
  }
}
