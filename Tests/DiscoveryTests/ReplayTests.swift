import Base
import HTTP
import Targets
import TestSupport
import Testing
@testable import Discovery

/// What real servers said, from `scripts/try-docker` and `scripts/try-kubernetes`, with the targets that came of it then.
@Suite struct ReplayTests {
  private struct Cluster: ClusterAccess {
    func connect() throws(DiscoveryError) -> ServerAccess { ServerAccess(address: "https://cluster.invalid") }
  }

  private func check(_ name: String, _ make: (@escaping ServerClient.TransportMaker) throws -> any TargetSource) throws {
    let transport = ReplayingTransport(try HTTPExchange.read(Fixture.path("discovery/\(name).jsonl")))
    let source = try make { (_) throws(HTTPError) in transport }
    let found = try source.find(until: Waker())
    let expected = String(decoding: try Fixture.bytes(Fixture.path("discovery/\(name).targets")), as: UTF8.self)
    #expect(found.targets.map { "\($0)\n" }.joined() == expected)
    #expect(!found.targets.isEmpty)
  }

  @Test(arguments: ["dockerd", "podman"]) func `a real container service`(name: String) throws {
    try check(name) { DockerSource(try DockerOptions(host: "unix:///run/docker.sock"), makeTransport: $0) }
  }

  @Test(arguments: KubernetesOptions.Role.allCases) func `a real API server, by role`(role: KubernetesOptions.Role) throws {
    try check("kubernetes-\(role.rawValue)") { KubernetesSource(KubernetesOptions(role, Cluster()), makeTransport: $0) }
  }

  @Test func `a real API server with namespaces, selectors and metadata`() throws {
    try check("kubernetes-narrow") {
      var options = KubernetesOptions(.pod, Cluster())
      options.namespaces = ["shop", "back", "shop"]
      options.selectors[.pod] = .init()
      options.selectors[.pod]?.label = "app=cart"
      options.selectors[.pod]?.field = "spec.nodeName=node1"
      options.attachesNode = true
      options.attachesNamespace = true
      return KubernetesSource(options, makeTransport: $0)
    }
  }

  /// The watch of a server that pods came to and went from.
  @Test func `a real watch, cut anywhere, gives what it said until there`() throws {
    let exchanges = try HTTPExchange.read(Fixture.path("discovery/kubernetes-watch.jsonl"))
    let watch = try #require(exchanges.first { $0.target.contains("watch=1") })
    let list = ObjectList(resource: .pods, namespace: "", selector: .init())
    let bytes = watch.pieces.flatMap { $0 }
    let lines = bytes.count { $0 == 0x0a }
    #expect(lines > 4)
    for size in [1, 7, 100, 4096, bytes.count] {
      let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
      var cut = watch
      cut.pieces = pieces
      let transport = WatchTransport(cut)
      let client = try ServerClient(ServerAccess(address: "https://cluster.invalid"), until: nil) { (_) throws(HTTPError) in transport }
      var reached = "1"
      var count = 0
      try list.watch(client, "/api/v1", from: &reached) { _ in count += 1 }
      #expect(count > 2 && Int(reached) ?? 0 > 1)
    }
  }
}

/// One watch, whatever is asked for.
private final class WatchTransport: HTTPTransport {
  private let exchange: HTTPExchange
  init(_ exchange: HTTPExchange) { self.exchange = exchange }
  func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse { HTTPResponse(status: 404) }
  func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse { HTTPResponse(status: 404) }
  func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse {
    for piece in exchange.pieces {
      if !receive(piece) { break }
    }
    return HTTPResponse(status: 200)
  }
}
