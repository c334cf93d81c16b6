package import HTTP

/// Tokens by client credentials (RFC 6749, section 4.4), kept until shortly before they end.
package final class OAuth2: Authorization {
  package struct Settings: Hashable, Sendable {
    package var clientID = ""
    package var clientSecret = Secret.value("")
    package var tokenURL = ""
    package var scopes: [String] = []
    /// Sent with the request for a token, sorted by name.
    package var parameters: [(String, String)] {
      get { sortedParameters.map { ($0.name, $0.value) } }
      set { sortedParameters = newValue.sorted { $0.0 < $1.0 }.map { HTTPHeader($0.0, $0.1) } }
    }
    private var sortedParameters: [HTTPHeader] = []
    package var timeoutMilliseconds = 10_000
    package init() {}
  }

  private let credentials: ClientCredentials

  package init(_ settings: Settings, transport: any HTTPTransport, clock: any UploadClock = SystemClock()) {
    var asked = ClientCredentials.Settings()
    asked.clientID = settings.clientID
    asked.clientSecret = { () throws(ClientCredentials.Failure) in
      do throws(UploadError) { return try settings.clientSecret.text("client_secret") } catch { throw .init("\(error)") }
    }
    asked.tokenURL = settings.tokenURL
    asked.scopes = settings.scopes
    asked.parameters = settings.parameters.map { (name: $0.0, value: $0.1) }
    asked.timeoutMilliseconds = settings.timeoutMilliseconds
    credentials = ClientCredentials(asked, transport: transport) { clock.monotonicNanoseconds() }
  }

  package func header() throws(UploadError) -> HTTPHeader? {
    do throws(ClientCredentials.Failure) { return try credentials.header() } catch {
      throw .missingSecret(what: "oauth2", why: error.description)
    }
  }

  package func wasRefused() { credentials.wasRefused() }
}
