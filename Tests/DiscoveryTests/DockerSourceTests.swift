import Base
import HTTP
import Synchronization
import Targets
import TestSupport
import Testing
@testable import Discovery

private let container = """
  [{"Id":"c1","Names":["/web"],"HostConfig":{"NetworkMode":"bridge"},
    "NetworkSettings":{"Networks":{"bridge":{"NetworkID":"n1","IPAddress":"172.17.0.2"}}}}]
  """

/// A service that answers by path.
private func service(_ answers: [String: LoopbackAnswer], version: String? = "1.41") throws -> LoopbackServer {
  try LoopbackServer { request, _ in
    if request.path == "/_ping" { return .respond(status: 200, headers: version.map { [("Api-Version", $0)] } ?? [], text: "OK") }
    return answers[String(request.path.prefix { $0 != "?" })] ?? .respond(status: 404, text: "{\"message\":\"page not found\"}")
  }
}

private func found(_ server: LoopbackServer, _ change: (inout DockerOptions) -> Void = { _ in }) throws -> Found {
  var options = try DockerOptions(host: "tcp://127.0.0.1:\(server.port)")
  change(&options)
  return try DockerSource(options).find(until: Waker())
}

private func problem(_ server: LoopbackServer, _ change: (inout DockerOptions) -> Void = { _ in }) throws -> DiscoveryError? {
  do {
    _ = try found(server, change)
    return nil
  } catch let error as DiscoveryError {
    return error
  }
}

@Suite struct DockerSourceTests {
  @Test(arguments: [("1.41", "/v1.41"), ("1.24", "/v1.24"), ("1.99", "/v1.51"), ("2.0", "/v1.51"), (nil, ""), ("new", ""), ("1.-7", "")])
  func `the service's version is spoken, up to the newest known`(version: String?, prefix: String) throws {
    let server = try service(
      ["\(prefix)/containers/json": .respond(status: 200, text: container), "\(prefix)/networks": .respond(status: 200, text: "[]")],
      version: version)
    #expect(try found(server).targets.map { $0["__address__"] } == ["172.17.0.2:80"])
    #expect(server.requests.map(\.path) == ["/_ping", "\(prefix)/containers/json", "\(prefix)/networks"])
  }

  @Test func `filters and headers go with the request`() throws {
    let server = try service([
      "/v1.41/containers/json": .respond(status: 200, text: "null"), "/v1.41/networks": .respond(status: 200, text: "null"),
    ])
    let scratch = try ScratchDirectory()
    let token = try scratch.write(Array(" s3cr3t\n".utf8), to: "token")
    let result = try found(server) {
      $0.filters = [("label", ["a=b"])]
      $0.access.authorization = FixedAuthorization.scheme("Bearer", .file(token))
      $0.access.headers = [HTTPHeader("X-Own", "1")]
    }
    #expect(result.targets.isEmpty)
    #expect(server.requests[1].path == "/v1.41/containers/json?filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D")
    #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer s3cr3t" && $0.headers["x-own"] == "1" })
  }

  @Test(arguments: ["{\"a\":", "{}", "7", "[[[[", "\u{0}", "<html>"])
  func `what is no list is an error that says where`(text: String) throws {
    let server = try service(["/v1.41/containers/json": .respond(status: 200, text: text)])
    let error = try #require(try problem(server))
    #expect(error.description.hasPrefix("http://127.0.0.1:\(server.port)/v1.41/containers/json answers with no "))
  }

  @Test func `a refusal is said with the service's own words, on one line`() throws {
    let server = try service(["/v1.41/containers/json": .respond(status: 500, text: "{\"message\":\"no\\n\\u001b[31mroom\"}")])
    #expect(try problem(server)?.description == "http://127.0.0.1:\(server.port)/v1.41/containers/json answers HTTP 500: no [31mroom")
  }

  @Test func `half an answer, and one that never comes, end`() throws {
    let half = Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\":".utf8)
    #expect(try problem(service(["/v1.41/containers/json": .raw(half)]))?.kind == .unreachable)
    let slow = try service(["/v1.41/containers/json": .after(milliseconds: 30_000, .close)])
    #expect(try problem(slow) { $0.refreshMilliseconds = 200 }?.kind == .unreachable)
  }

  @Test func `what was found keeps counting while the service is away, and what is new is seen after it`() throws {
    // What the service says goes on when it was seen: an answer that comes too late for an interval so short is asked for again.
    let answer = Mutex<String?>(container)
    let server = try LoopbackServer { request, _ in
      if request.path == "/_ping" { return .respond(status: 200, headers: [("Api-Version", "1.41")], text: "OK") }
      if request.path == "/v1.41/networks" { return .respond(status: 200, text: "[]") }
      return answer.withLock { $0 }.map { .respond(status: 200, text: $0) } ?? .close
    }
    var options = try DockerOptions(host: "tcp://127.0.0.1:\(server.port)")
    options.refreshMilliseconds = 20
    let seen = Mutex<[SourceState]>([])
    let follower = try Follower(DockerSource(options)) { state in seen.withLock { $0.append(state) } }
    try waitUntil("a container is found") { seen.withLock { $0.last?.targets.count == 1 } }
    answer.withLock { $0 = nil }
    try waitUntil("the service is away") { seen.withLock { $0.last?.problem != nil } }
    answer.withLock { $0 = "[]" }
    try waitUntil("the service answers again") { seen.withLock { $0.last.map { $0.targets.isEmpty } ?? false } }
    withExtendedLifetime(follower) {}
    let states = seen.withLock { $0 }.drop { $0.targets.isEmpty }
    let away = states.prefix { !$0.targets.isEmpty }.filter { $0.problem != nil }
    #expect(!away.isEmpty && away.allSatisfy { $0.targets.count == 1 && $0.problem?.kind == .unreachable })
    #expect(states.first { $0.targets.isEmpty }?.problem == nil)
  }
}

/// Waits for something that comes soon.
func waitUntil(_ what: Comment, _ isTrue: () -> Bool) throws {
  let start = ContinuousClock.now
  let waker = try Waker()
  while !isTrue() {
    try #require(ContinuousClock.now - start < .seconds(60), what)
    waker.wait(milliseconds: 5)
  }
}
