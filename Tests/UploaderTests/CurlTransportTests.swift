import Base
import HTTP
import Profile
import TestSupport
import Testing
@testable import Uploader

private func request(_ url: String, body: [UInt8] = [1, 2, 3], timeout: Int = 5000) -> HTTPRequest {
  var request = HTTPRequest(method: "POST", url: url, headers: [HTTPHeader("X-Test", "yes")], body: body)
  request.totalTimeoutMilliseconds = timeout
  return request
}

/// The two ways a request is made.
enum Way: CaseIterable {
  case library, program

  func transport() throws(HTTPError) -> CurlTransport {
    switch self {
    case .library: try CurlTransport(usesProgram: false)
    case .program: try CurlTransport(libraryNames: [])
    }
  }

  /// The program is not part of what a host must have.
  static let here: [Way] = (try? Way.program.transport()) == nil ? [.library] : allCases
}

private func failure(_ way: Way, _ url: String, timeout: Int = 5000) throws -> HTTPFailure? {
  do {
    _ = try way.transport().perform(request(url, timeout: timeout))
    return nil
  } catch let error as HTTPFailure {
    return error
  }
}

@Test(arguments: Way.here) func `a request arrives as it was made and the answer comes back`(way: Way) throws {
  let server = try LoopbackServer(answers: [
    .respond(status: 429, headers: [("Retry-After", "3"), ("X-Empty", "")], text: "{}")
  ])
  let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
  let response = try way.transport().perform(request(server.url + "/path", body: body))
  #expect(response.status == 429)
  #expect(response.header("retry-after") == "3")
  #expect(response.header("x-empty") == "")
  #expect(response.body == Array("{}".utf8))
  let got = try #require(server.requests.first)
  #expect(got.method == "POST" && got.path == "/path")
  #expect(got.headers["x-test"] == "yes")
  #expect(got.headers["expect"] == nil)
  #expect(got.body == body)
}

@Test(arguments: Way.here) func `an empty body is sent as one`(way: Way) throws {
  let server = try LoopbackServer(answers: [.respond(status: 200)])
  #expect(try way.transport().perform(request(server.url, body: [])).status == 200)
  #expect(server.requests.first?.headers["content-length"] == "0")
}

@Test(arguments: Way.here) func `one transport serves many requests, some of which fail`(way: Way) throws {
  let server = try LoopbackServer(answers: [.respond(status: 200), .close, .close, .respond(status: 204)])
  let transport = try way.transport()
  #expect(try transport.perform(request(server.url)).status == 200)
  #expect(throws: HTTPFailure.self) { try transport.perform(request(server.url)) }
  // libcurl itself tries once more when a kept connection ends, so that took two of the answers already.
  if way == .program { #expect(throws: HTTPFailure.self) { try transport.perform(request(server.url)) } }
  #expect(try transport.perform(request(server.url)).status == 204)
}

@Test(arguments: Way.here) func `a large answer is cut at the limit`(way: Way) throws {
  let server = try LoopbackServer(answers: [.respond(status: 500, body: [UInt8](repeating: 65, count: 3 << 20))])
  let response = try way.transport().perform(request(server.url))
  #expect(response.status == 500)
  #expect(response.body.count == CurlTransport.maximumBodyBytes)
}

@Test(arguments: Way.here) func `nobody there, a name nobody has`(way: Way) throws {
  #expect(try failure(way, "http://127.0.0.1:\(LoopbackServer.unusedPort())")?.kind == .unconnected)
  #expect(try failure(way, "http://no-such-host.invalid")?.kind == .unresolved)
}

@Test(arguments: Way.here) func `a server that does not answer in time`(way: Way) throws {
  let server = try LoopbackServer(answers: [.after(milliseconds: 3000, .respond(status: 200))])
  #expect(try failure(way, server.url, timeout: 200)?.kind == .timedOut)
}

@Test(arguments: Way.here) func `a server that hangs up, before the request and instead of an answer`(way: Way) throws {
  #expect(try failure(way, LoopbackServer(hangsUp: true) { _, _ in .close }.url)?.kind != nil)
  #expect(try failure(way, LoopbackServer(answers: [.close]).url)?.kind == .broken)
  let cut = try LoopbackServer(answers: [.raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".utf8))])
  #expect(try failure(way, cut.url)?.kind == .broken)
}

@Test(arguments: Way.here) func `garbage is no HTTP, and neither is an unknown scheme a request`(way: Way) throws {
  let server = try LoopbackServer(answers: [.raw((0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) })])
  #expect(try failure(way, server.url)?.kind == .notHTTP)
  #expect(try failure(way, "ftp://127.0.0.1/")?.kind != nil)
  #expect(try failure(way, "http://[")?.kind == .badRequest)
}

@Test(arguments: Way.here) func `TLS to a server that speaks none fails as TLS`(way: Way) throws {
  let server = try LoopbackServer(answers: [.respond(status: 200)])
  #expect(try failure(way, server.url.replacing("http://", with: "https://"))?.kind == .tls)
}

@Test func `a missing library says what to install and what needs none`() {
  let error = #expect(throws: HTTPError.self) { try CurlTransport(libraryNames: [], usesProgram: false) }
  #expect(error.map { UploadError.noLibrary($0).description.contains("apt install libcurl4") } == true)
  #expect(error.map { UploadError.noLibrary($0).description.contains("file:///DIR") } == true)
  #expect(HTTPError(why: "static", canBeInstalled: false).description.contains("apt install curl"))
}

@Test func `over a real connection a server that enforces every rule accepts everything`() throws {
  let clock = SystemClock()
  let receiver = PushReceiver(authorization: "Bearer token") { SystemClock().unixNanoseconds() }
  let server = try LoopbackServer { request, _ in receiver.answer(request) }
  let whole = Samples.profile(samples: 30_000, depth: 12, functions: 2000)
  var options = DestinationOptions()
  options.credentials = .bearer(token: "token")
  let destination = try Destinations.open(server.url, options)
  let plan = try UploadPlan(
    [Samples.item(whole), Samples.item()], rules: destination.rules, now: clock.unixNanoseconds(), restamp: true)
  var queue = UploadQueue(to: destination, seed: 1)
  let summary = queue.run(plan)
  #expect(summary.verdict == .complete)
  #expect(receiver.refusals.isEmpty)
  #expect(receiver.accepted.count == plan.uploads.count)
  #expect(receiver.accepted.reduce(0) { $0 + $1.profile.samples.count } == 30_001)
}
