import HTTP
import Testing
import Uploader

struct OAuth2Tests {
  private func reply(_ status: Int, _ json: String) -> Result<HTTPResponse, HTTPFailure> {
    .success(HTTPResponse(status: status, body: Array(json.utf8)))
  }

  private func settings() -> OAuth2.Settings {
    var settings = OAuth2.Settings()
    settings.clientID = "client"
    settings.clientSecret = .value("se:cret")
    settings.tokenURL = "https://id.example.org/token?x=1"
    settings.scopes = ["a", "b"]
    settings.parameters = [("audience", "profiles & more")]
    return settings
  }

  @Test func `a token is asked for once and kept until shortly before its end`() throws {
    let clock = TestClock()
    let transport = TestTransport([
      reply(200, #"{"access_token":"one","expires_in":60,"token_type":"bearer"}"#), reply(200, #"{"access_token":"two"}"#),
    ])
    let oauth = OAuth2(settings(), transport: transport, clock: clock)
    for _ in 0..<3 {
      let header = try oauth.header()
      #expect(header == HTTPHeader("Authorization", "Bearer one"))
    }
    #expect(transport.requests.count == 1)
    let request = try #require(transport.requests.first)
    #expect(
      String(decoding: request.body, as: UTF8.self) == "grant_type=client_credentials&scope=a%20b&audience=profiles%20%26%20more")
    // client:se%3Acret
    #expect(request.headers.contains(HTTPHeader("Authorization", "Basic Y2xpZW50OnNlJTNBY3JldA==")))
    clock.sleep(nanoseconds: 51_000_000_000)
    let next = try oauth.header()
    #expect(next?.value == "Bearer two")
    // One that was refused is not used again.
    oauth.wasRefused()
    _ = try oauth.header()
    #expect(transport.requests.count == 3)
  }

  @Test func `a server that wants the secret in the form gets it there`() throws {
    let transport = TestTransport([reply(401, "{}"), reply(200, #"{"access_token":"one"}"#)])
    let oauth = OAuth2(settings(), transport: transport, clock: TestClock())
    let header = try oauth.header()
    #expect(header?.value == "Bearer one")
    #expect(String(decoding: transport.requests[1].body, as: UTF8.self).hasSuffix("&client_id=client&client_secret=se%3Acret"))
    oauth.wasRefused()
    _ = try oauth.header()
    #expect(transport.requests.count == 3)
  }

  @Test(arguments: ["{}", "no json", #"{"access_token":"a\nb"}"#]) func `what is no token is an error without anything secret`(body: String)
  {
    let oauth = OAuth2(settings(), transport: TestTransport([reply(200, body)]), clock: TestClock())
    let error = #expect(throws: UploadError.self) { try oauth.header() }
    #expect(error?.description == "oauth2: https://id.example.org/token gives no access_token")
  }
}
