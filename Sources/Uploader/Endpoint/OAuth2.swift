import Base
package import HTTP
import Synchronization

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

  /// A token is not used in its last seconds: it would end on the way.
  private static let margin: UInt64 = 10_000_000_000

  private struct Token {
    var text: String
    var kind: String
    /// `nil` for no end.
    var ends: UInt64?
  }
  private let settings: Settings
  private let transport: any HTTPTransport
  private let clock: any UploadClock
  private let state = Mutex<(token: Token?, sendsInBody: Bool)>((nil, false))

  package init(_ settings: Settings, transport: any HTTPTransport, clock: any UploadClock = SystemClock()) {
    self.settings = settings
    self.transport = transport
    self.clock = clock
  }

  package func header() throws(UploadError) -> HTTPHeader? {
    let (known, sendsInBody) = state.withLock { ($0.token, $0.sendsInBody) }
    if let known, known.ends.map({ clock.monotonicNanoseconds() < $0 }) ?? true {
      return HTTPHeader("Authorization", "\(known.kind) \(known.text)")
    }
    var answer = try ask(inBody: sendsInBody)
    // Some servers know the secret as a password alone, some in the form alone.
    if !sendsInBody, answer.status == 400 || answer.status == 401 { answer = try ask(inBody: true) }
    guard answer.status == 200 else {
      throw .missingSecret(what: "oauth2", why: "\(HTTPAddress.shown(settings.tokenURL)) answers HTTP \(answer.status) instead of a token")
    }
    let token = try token(answer)
    state.withLock { $0.token = token }
    return HTTPHeader("Authorization", "\(token.kind) \(token.text)")
  }

  package func wasRefused() { state.withLock { $0.token = nil } }

  private func ask(inBody: Bool) throws(UploadError) -> HTTPResponse {
    var fields = [("grant_type", "client_credentials")]
    if !settings.scopes.isEmpty { fields.append(("scope", settings.scopes.joined(separator: " "))) }
    fields += settings.parameters
    let secret = try settings.clientSecret.text("oauth2 client_secret")
    var request = HTTPRequest(
      method: "POST", url: settings.tokenURL,
      headers: [HTTPHeader("Content-Type", "application/x-www-form-urlencoded"), HTTPHeader("Accept", "application/json")])
    request.connectTimeoutMilliseconds = settings.timeoutMilliseconds
    request.totalTimeoutMilliseconds = settings.timeoutMilliseconds
    if inBody {
      fields += [("client_id", settings.clientID), ("client_secret", secret)]
    } else if let header = Credentials.basic(user: PercentEncoding.encode(settings.clientID), password: PercentEncoding.encode(secret)).header {
      request.headers.append(header)
    }
    request.body = Array(fields.map { PercentEncoding.encode($0.0) + "=" + PercentEncoding.encode($0.1) }.joined(separator: "&").utf8)
    do throws(HTTPFailure) {
      let answer = try transport.perform(request)
      if answer.status == 200 { state.withLock { $0.sendsInBody = inBody } }
      return answer
    } catch {
      throw .missingSecret(what: "oauth2", why: "\(HTTPAddress.shown(settings.tokenURL)): \(error.message)")
    }
  }

  private func token(_ answer: HTTPResponse) throws(UploadError) -> Token {
    guard let value = try? JSONReader.read(answer.body, limit: CurlTransport.maximumBodyBytes),
      let text = value["access_token"]?.text, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else {
      throw .missingSecret(what: "oauth2", why: "\(HTTPAddress.shown(settings.tokenURL)) gives no access_token")
    }
    var token = Token(text: text, kind: "Bearer", ends: nil)
    if let seconds = value["expires_in"]?.integer, seconds > 0 {
      let life = UInt64(clamping: min(seconds, 1 << 31)) &* 1_000_000_000
      token.ends = clock.monotonicNanoseconds() &+ (life > Self.margin * 2 ? life &- Self.margin : life / 2)
    }
    return token
  }
}
