import Base
import HTTP
import Profile
import Testing
@testable import Uploader

@Test func `a URL is taken apart and its password taken out`() throws {
  let url = try DestinationURL("HTTPS://me:p%40ss@Example.org:4040/base/")
  #expect(url.scheme == "https")
  #expect(url.host == "example.org")
  #expect(url.text == "https://Example.org:4040/base")
  #expect(url.user == "me")
  #expect(url.password == "p@ss")
  #expect(try DestinationURL("http://[::1]:4040").host == "::1")
  #expect(try DestinationURL("file:///tmp/a%20b/").path == "/tmp/a b/")
}

@Test(arguments: ["", "localhost:4040", "http://", "http://a b", "http://x/%zz", "file://dir", "http://x/?q", "http://u:secret@/"])
func `what is no destination is refused without repeating a password`(text: String) {
  let error = #expect(throws: UploadError.self) { try DestinationURL(text) }
  #expect(error?.description.contains("secret") == false)
}

@Test func `an unknown scheme names those that are known`() {
  let error = #expect(throws: UploadError.self) { try Destinations.open("s3://bucket") }
  #expect(error?.description == "s3://bucket: a destination starts with one of http://, https://, file://")
}

private func open(_ url: String, _ change: (inout DestinationOptions) -> Void = { _ in }) throws -> TestTransport {
  let transport = TestTransport([.success(HTTPResponse(status: 200))])
  var options = DestinationOptions()
  options.transport = transport
  change(&options)
  let destination = try Destinations.open(url, options)
  _ = destination.send(try Samples.upload())
  return transport
}

@Test func `a push goes to the service's path with the headers of Connect`() throws {
  let transport = try open("http://localhost:4040/") { $0.headers = [HTTPHeader("X-Scope-OrgID", "team")] }
  let request = try #require(transport.requests.first)
  #expect(request.method == "POST")
  #expect(request.url == "http://localhost:4040/push.v1.PusherService/Push")
  #expect(
    request.headers == [
      HTTPHeader("Content-Type", "application/proto"), HTTPHeader("Connect-Protocol-Version", "1"),
      HTTPHeader("Connect-Timeout-Ms", "60000"), HTTPHeader("User-Agent", "pyrorec"), HTTPHeader("X-Scope-OrgID", "team"),
    ])
}

@Test(arguments: [
  ("", "", ""), ("f", "", "Zg=="), ("fo", "", "Zm8="), ("foo", "", "Zm9v"), ("foobar", "", "Zm9vYmFy"),
])
func `base64 is that of RFC 4648`(text: String, _: String, expected: String) {
  #expect(Base64.encode(Array(text.utf8)) == expected)
}

@Test func `credentials become a header and never a text`() throws {
  let basic = try open("http://localhost") { $0.credentials = .basic(user: "me", password: "secret") }
  #expect(basic.requests.first?.headers.contains(HTTPHeader("Authorization", "Basic bWU6c2VjcmV0")) == true)
  let inURL = try open("http://me:secret@localhost")
  #expect(inURL.requests.first?.headers.contains(HTTPHeader("Authorization", "Basic bWU6c2VjcmV0")) == true)
  #expect(inURL.requests.first?.url.contains("secret") == false)
  let bearer = try open("http://localhost") { $0.credentials = .bearer(token: "secret") }
  #expect(bearer.requests.first?.headers.contains(HTTPHeader("Authorization", "Bearer secret")) == true)
  for credentials in [Credentials.basic(user: "me", password: "secret"), .bearer(token: "secret")] {
    #expect(!"\(credentials)".contains("secret"))
    #expect(!String(reflecting: credentials).contains("secret"))
    var text = ""
    dump(credentials, to: &text)
    #expect(!text.contains("secret"))
  }
}

@Test func `two kinds of credentials at once are refused`() {
  #expect(throws: UploadError.self) { try open("http://me@localhost") { $0.credentials = .bearer(token: "t") } }
  #expect(throws: UploadError.self) {
    try open("http://localhost") {
      $0.credentials = .bearer(token: "t")
      $0.headers = [HTTPHeader("authorization", "Bearer u")]
    }
  }
}

@Test(arguments: [
  HTTPHeader("X", "a\r\nEvil: 1"), HTTPHeader("Evil: 1\r\nX", "a"), HTTPHeader("", "a"), HTTPHeader("Content-Type", "a"),
  HTTPHeader("Content-Length", "1"),
])
func `headers that would change the request are refused`(header: HTTPHeader) {
  #expect(throws: UploadError.self) { try open("http://localhost") { $0.headers = [header] } }
}

@Test func `a token over a connection anyone can read is warned of, not on this host`() throws {
  var options = DestinationOptions()
  options.transport = TestTransport([.success(HTTPResponse(status: 200))])
  options.credentials = .bearer(token: "secret")
  #expect(try Destinations.open("http://example.org", options).warnings.count == 1)
  #expect(try Destinations.open("http://localhost", options).warnings.isEmpty)
  #expect(try Destinations.open("https://example.org", options).warnings.isEmpty)
  options.tls.isInsecure = true
  #expect(try Destinations.open("https://example.org", options).warnings.count == 1)
}

@Test func `the push message holds labels, profile and id where the schema has them`() {
  #expect(
    PushRequest.encode(labels: [UploadLabel("a", "b")], profile: [1, 2, 3], id: "x") == [
      0x0a, 18,  // series
      0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62,  // labels { name "a", value "b" }
      0x12, 8, 0x0a, 3, 1, 2, 3, 0x12, 1, 0x78,  // samples { raw_profile, ID "x" }
    ])
}

@Test(arguments: [
  (["cpu"], "process_cpu"), (["samples", "cpu"], "process_cpu"), (["wall", "cpu"], "wall"),
  (["alloc_objects", "alloc_space"], "memory"), (["mutex_count"], "mutex"), (["goroutines"], "goroutines"),
  (["offcpu"], "process_cpu"), (["lock", "uprobe"], "uprobe"), ([], "profile"),
])
func `the metric is guessed from the sample types`(types: [String], metric: String) {
  #expect(MetricName.guess(sampleTypes: types) == metric)
}
