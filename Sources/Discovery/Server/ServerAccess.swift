package import HTTP

/// Says who is asking, anew for each request: what it says so with may change.
package protocol ServerAuthorization: Sendable {
  func headers() throws(DiscoveryError) -> [HTTPHeader]
  /// The server did not take the last ones: what is remembered is asked for again.
  func wasRefused()
}

/// Where a server is, whom to trust there and who asks.
package struct ServerAccess: Sendable {
  /// Without a slash at its end.
  package var address: String
  package var unixSocketPath: String?
  package var tls = TLSOptions()
  package var connection = HTTPConnectionOptions()
  package var authorization: any ServerAuthorization = FixedAuthorization.none
  /// Of every request.
  package var headers: [HTTPHeader] = []
  package var maximumRedirects = 0
  /// What `tls` names by path.
  var files: [InlineFile] = []

  package init(address: String) { self.address = address }

  /// As it may be shown.
  package var shown: String { unixSocketPath.map { "unix://" + $0 } ?? HTTPAddress.shown(address) }
}

package enum FixedAuthorization: ServerAuthorization, Hashable {
  case none
  case basic(user: SecretText, password: SecretText)
  /// RFC 9110, section 11.4: `Bearer` mostly.
  case scheme(String, SecretText)

  package func headers() throws(DiscoveryError) -> [HTTPHeader] {
    switch self {
    case .none: return []
    case .basic(let user, let password):
      return [.basic(user: try user.read("basic_auth username"), password: try password.read("basic_auth password"))]
    case .scheme(let scheme, let secret):
      let credentials = try secret.read("\(scheme) credentials")
      return credentials.isEmpty ? [] : [HTTPHeader("Authorization", "\(scheme) \(credentials)")]
    }
  }

  package func wasRefused() {}
}

/// OAuth 2's client credentials.
struct TokenAuthorization: ServerAuthorization {
  let credentials: ClientCredentials

  func headers() throws(DiscoveryError) -> [HTTPHeader] {
    do throws(ClientCredentials.Failure) { return [try credentials.header()] } catch { throw DiscoveryError("oauth2: \(error)") }
  }

  func wasRefused() { credentials.wasRefused() }
}
