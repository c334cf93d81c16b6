import Configuration
import HTTP
import Synchronization
import TestSupport
import Testing
@testable import Discovery

/// Answers by URL, and remembers what was asked and how it was connected.
private final class Server: Sendable {
  let state = Mutex((accesses: [ServerAccess](), requests: [HTTPRequest]()))
  private struct Transport: HTTPTransport {
    let server: Server
    func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
      server.state.withLock { $0.requests.append(request) }
      let asksForToken = request.url.hasPrefix("https://id.example.org/")
      let text = asksForToken ? "{\"access_token\":\"t0ken\",\"expires_in\":3600}" : request.url.hasSuffix("/_ping") ? "OK" : "[]"
      return HTTPResponse(status: 200, body: Array(text.utf8))
    }
    func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse { try perform(request) }
  }

  func find(_ blocks: String) throws -> Found {
    let text = "discovery.docker \"d\" {\n  host = \"https://docker.example.org\"\n\(blocks)\n}"
    var warnings: [Diagnostic] = []
    let environment = ConfigurationEnvironment(hostname: "h", version: "v") { _ in nil }
    let configuration = try Configuration(SourceFile(name: "test.alloy", bytes: Array(text.utf8)), environment, warnings: &warnings)
    let component = try #require(configuration.components.first)
    let arguments = try #require(configuration.evaluate { _, _ in [] }.results[component.id]?.arguments)
    let make: ServerClient.TransportMaker = { (access) throws(HTTPError) in
      self.state.withLock { $0.accesses.append(access) }
      return Transport(server: self)
    }
    let source = try #require(try NetworkSource.make(component, arguments, atLeastEveryMilliseconds: .max, by: make))
    return try source.find(until: Waker())
  }
}

@Suite struct ClientBlockTests {
  @Test func `a token is asked for by client credentials, once, and goes with each request`() throws {
    let server = Server()
    let found = try server.find(
      """
        oauth2 {
          client_id = "agent"
          client_secret = "s3cr3t"
          token_url = "https://id.example.org/token"
          scopes = ["read"]
          proxy_url = "http://proxy.example.org:3128"
          tls_config { server_name = "id.internal" }
        }
      """)
    #expect(found.targets.isEmpty)
    let (accesses, requests) = server.state.withLock { $0 }
    #expect(requests.map(\.url).filter { $0.hasPrefix("https://id.example.org/") } == ["https://id.example.org/token"])
    let asked = requests.filter { $0.url.hasPrefix("https://docker.example.org/") }
    #expect(asked.count == 3 && asked.allSatisfy { $0.headers.contains(HTTPHeader("Authorization", "Bearer t0ken")) })
    #expect(accesses.first?.connection.proxy == .url("http://proxy.example.org:3128", except: ""))
    #expect(accesses.first?.tls.serverName == "id.internal")
    #expect(accesses.last?.connection.proxy == HTTPConnectionOptions.Proxy.none && accesses.last?.tls.serverName == nil)
  }

  @Test func `proxies, versions and the name to prove are handed on`() throws {
    let server = Server()
    _ = try server.find(
      """
        proxy_url = "http://proxy.example.org:3128"
        no_proxy = "localhost"
        proxy_connect_header = {"X-Own" = ["1"]}
        enable_http2 = false
        tls_config {
          server_name = "docker.internal"
          min_version = "TLS13"
        }
      """)
    let access = try #require(server.state.withLock { $0.accesses.first })
    #expect(access.connection.proxy == .url("http://proxy.example.org:3128", except: "localhost"))
    #expect(access.connection.proxyHeaders == [HTTPHeader("X-Own", "1")] && !access.connection.allowsHTTP2)
    #expect(access.tls.serverName == "docker.internal" && access.tls.minimumVersion == .tls13)
    _ = try server.find("proxy_from_environment = true")
    #expect(server.state.withLock { $0.accesses.last?.connection.proxy } == .environment)
  }
}
