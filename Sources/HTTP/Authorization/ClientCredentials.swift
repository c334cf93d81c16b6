import Base
import Synchronization

/// Tokens by client credentials (RFC 6749, section 4.4), kept until shortly before they end.
package final class ClientCredentials: Sendable {
  /// Why there is no token: a sentence without its full stop, and nothing secret.
  package struct Failure: Error, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
  }

  package struct Settings: Sendable {
    package var clientID = ""
    /// Read anew for each token.
    package var clientSecret: @Sendable () throws(Failure) -> String = { "" }
    package var tokenURL = ""
    package var scopes: [String] = []
    /// Sent with the request for a token, in this order.
    package var parameters: [(name: String, value: String)] = []
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
  private let now: @Sendable () -> UInt64
  private let state = Mutex<(token: Token?, sendsInBody: Bool)>((nil, false))

  /// - Parameter now: nanoseconds of a clock that is never set.
  package init(_ settings: Settings, transport: any HTTPTransport, now: @escaping @Sendable () -> UInt64) {
    self.settings = settings
    self.transport = transport
    self.now = now
  }

  /// The header with a token that holds.
  package func header() throws(Failure) -> HTTPHeader {
    let (known, sendsInBody) = state.withLock { ($0.token, $0.sendsInBody) }
    if let known, known.ends.map({ now() < $0 }) ?? true { return HTTPHeader("Authorization", "\(known.kind) \(known.text)") }
    var answer = try ask(inBody: sendsInBody)
    // Some servers know the secret as a password alone, some in the form alone.
    if !sendsInBody, answer.status == 400 || answer.status == 401 { answer = try ask(inBody: true) }
    guard answer.status == 200 else {
      throw Failure("\(HTTPAddress.shown(settings.tokenURL)) answers HTTP \(answer.status) instead of a token")
    }
    let token = try token(answer)
    state.withLock { $0.token = token }
    return HTTPHeader("Authorization", "\(token.kind) \(token.text)")
  }

  /// The server did not take the token: another one is asked for.
  package func wasRefused() { state.withLock { $0.token = nil } }

  private func ask(inBody: Bool) throws(Failure) -> HTTPResponse {
    var fields = [("grant_type", "client_credentials")]
    if !settings.scopes.isEmpty { fields.append(("scope", settings.scopes.joined(separator: " "))) }
    fields += settings.parameters.map { ($0.name, $0.value) }
    let secret = try settings.clientSecret()
    var request = HTTPRequest(
      method: "POST", url: settings.tokenURL,
      headers: [HTTPHeader("Content-Type", "application/x-www-form-urlencoded"), HTTPHeader("Accept", "application/json")])
    request.connectTimeoutMilliseconds = settings.timeoutMilliseconds
    request.totalTimeoutMilliseconds = settings.timeoutMilliseconds
    if inBody {
      fields += [("client_id", settings.clientID), ("client_secret", secret)]
    } else {
      request.headers.append(.basic(user: PercentEncoding.encode(settings.clientID), password: PercentEncoding.encode(secret)))
    }
    request.body = Array(fields.map { PercentEncoding.encode($0.0) + "=" + PercentEncoding.encode($0.1) }.joined(separator: "&").utf8)
    do throws(HTTPFailure) {
      let answer = try transport.perform(request)
      if answer.status == 200 { state.withLock { $0.sendsInBody = inBody } }
      return answer
    } catch {
      throw Failure("\(HTTPAddress.shown(settings.tokenURL)): \(error.message)")
    }
  }

  private func token(_ answer: HTTPResponse) throws(Failure) -> Token {
    guard let value = try? JSONReader.read(answer.body, limit: CurlTransport.maximumBodyBytes),
      let text = value["access_token"]?.text, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { throw Failure("\(HTTPAddress.shown(settings.tokenURL)) gives no access_token") }
    var token = Token(text: text, kind: "Bearer", ends: nil)
    if let seconds = value["expires_in"]?.integer, seconds > 0 {
      let life = UInt64(clamping: min(seconds, 1 << 31)) &* 1_000_000_000
      token.ends = now() &+ (life > Self.margin * 2 ? life &- Self.margin : life / 2)
    }
    return token
  }
}
