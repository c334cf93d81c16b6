import HTTP
import TestSupport
import Testing
import Uploader

@testable import Agent

struct EndpointSettingsTests {
  @Test func `an endpoint without arguments has Alloy's defaults`() throws {
    let endpoint = try Reading.endpoints("endpoint { url = \"http://user:pw@pyroscope:4040/a?token=1\" }")[0]
    #expect(endpoint.options.requestTimeoutMilliseconds == 10_000)
    #expect(endpoint.policy.minimumWaitMilliseconds == 500)
    #expect(endpoint.policy.maximumWaitMilliseconds == 300_000)
    #expect(endpoint.policy.attempts == 10)
    #expect(endpoint.options.retriesRateLimit)
    #expect(endpoint.options.maximumRedirects == 10)
    #expect(endpoint.options.connection.allowsHTTP2)
    #expect(endpoint.options.connection.proxy == HTTPConnectionOptions.Proxy.none)
    #expect(endpoint.options.authorization == nil)
    #expect(!endpoint.title.contains("pw"))
    #expect(!endpoint.title.contains("token"))
  }

  @Test func `every argument of an endpoint is taken`() throws {
    let directory = try ScratchDirectory()
    try directory.write(Array("from-file\n".utf8), to: "token")
    let endpoints = try Reading.endpoints(
      """
      endpoint {
        url = "https://pyroscope"
        name = "main"
        remote_timeout = "3s"
        headers = { "X-Scope-OrgID" = "team" }
        http_headers = { "X-More" = ["1", "2"] }
        min_backoff_period = "1s"
        max_backoff_period = "1m"
        max_backoff_retries = 0
        retry_on_http_429 = false
        follow_redirects = false
        enable_http2 = false
        proxy_url = "http://proxy:3128"
        no_proxy = "localhost,10.0.0.0/8"
        proxy_connect_header = { "Proxy-Authorization" = ["secret"] }
        bearer_token_file = "\(directory.path)/token"
        tls_config {
          ca_pem = "CA"
          cert_file = "/cert.pem"
          key_file = "/key.pem"
          server_name = "other"
          insecure_skip_verify = true
          min_version = "TLS13"
        }
      }
      endpoint { url = "https://pyroscope" }
      """)
    let endpoint = endpoints[0]
    #expect(endpoint.title == "main")
    #expect(endpoint.key != endpoints[1].key)
    #expect(endpoint.policy.attempts == .max)
    #expect(endpoint.policy.minimumWaitMilliseconds == 1000)
    #expect(endpoint.policy.maximumWaitMilliseconds == 60_000)
    let options = endpoint.options
    #expect(options.headers == [HTTPHeader("X-Scope-OrgID", "team"), HTTPHeader("X-More", "1"), HTTPHeader("X-More", "2")])
    #expect(options.requestTimeoutMilliseconds == 3000)
    #expect(!options.retriesRateLimit)
    #expect(options.maximumRedirects == 0)
    #expect(!options.connection.allowsHTTP2)
    #expect(options.connection.proxy == .url("http://proxy:3128", except: "localhost,10.0.0.0/8"))
    #expect(options.connection.proxyHeaders == [HTTPHeader("Proxy-Authorization", "secret")])
    #expect(options.tls.serverName == "other")
    #expect(options.tls.minimumVersion == .tls13)
    #expect(options.tls.isInsecure)
    #expect(options.tls.certificateFile == "/cert.pem")
    let authority = try #require(options.tls.authorityFile)
    #expect(try Fixture.bytes(authority) == Array("CA".utf8))
    // Read again for each request: a token that was changed is the next one's.
    let first = try options.authorization?.header()
    #expect(first == HTTPHeader("Authorization", "Bearer from-file"))
    try directory.write(Array("changed".utf8), to: "token")
    let second = try options.authorization?.header()
    #expect(second == HTTPHeader("Authorization", "Bearer changed"))
  }

  @Test(arguments: [
    ("basic_auth {\n username = \"u\"\n password = \"p\"\n}", "Basic dTpw"),
    ("authorization {\n type = \"Token\"\n credentials = \"x\"\n}", "Token x"),
    ("bearer_token = \"t\"", "Bearer t"),
  ]) func `credentials become a header and are printed nowhere`(argument: String, expected: String) throws {
    let endpoint = try Reading.endpoints("endpoint {\n url = \"http://x\"\n\(argument)\n}")[0]
    let header = try endpoint.options.authorization?.header()
    #expect(header?.value == expected)
    var shown = ""
    dump(endpoint.options.authorization, to: &shown)
    #expect(!shown.contains("\"p\""))
    #expect(!shown.contains("\"x\""))
    #expect(!shown.contains("\"t\""))
  }
}
