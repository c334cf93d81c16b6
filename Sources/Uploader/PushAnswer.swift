import Base
import HTTP

/// What a Pyroscope server's answer to a push means for the profile that was sent.
///
/// A Connect server says more than the HTTP status: `{"code": "…", "message": "…"}`. A proxy on the way does not, and
/// then the status decides.
enum PushAnswer {
  /// - Parameters:
  ///   - chargedBytes: what the server counts the profile as.
  ///   - burst: the most it takes at once: above that a refusal for the rate is for ever.
  ///   - nowSeconds: since 1970, for a `Retry-After` that is a date.
  ///   - retriesRateLimit: whether a server's 429 is for now; that of a proxy always is.
  static func outcome(
    of response: HTTPResponse, chargedBytes: Int, burst: Int, nowSeconds: Int64, retriesRateLimit: Bool = true
  ) -> UploadOutcome {
    let error = ConnectError(response.body)
    let reason = Self.reason(response, error)
    func later() -> UploadOutcome {
      .unavailable(Unavailability(reason, retryAfterSeconds: retryAfter(response, nowSeconds), hasAnswered: true))
    }
    switch response.status {
    case 200..<300:
      return isPyroscope(response) ? .accepted : .misconfigured("\(reason): this is no Pyroscope server; check the URL")
    case 300..<400:
      let target = response.header("Location").map { " to \($0.onOneLine)" } ?? ""
      return .misconfigured("\(reason): the server redirects\(target); give the URL it should be sent to")
    case 401, 403: return .misconfigured("\(reason): check user, password, token or tenant")
    case 404, 405, 415, 501:
      return .misconfigured("\(reason): there is no push service at this URL; is it a Pyroscope server?")
    case 429:
      if chargedBytes > burst { return .tooLarge("\(reason): it is larger than the server ever takes at once") }
      return retriesRateLimit || error == nil ? later() : .refused("\(reason), and retry_on_http_429 is false")
    case 413: return .tooLarge(reason)
    case 408, 425: return later()
    default: break
    }
    if let code = error?.code {
      if Self.retriedCodes.contains(code) { return later() }
      if Self.configurationCodes.contains(code) { return .misconfigured(reason) }
      if code == "already_exists" { return .alreadyThere(reason) }
      if Self.sizeReasons.contains(where: { error?.message.contains($0) ?? false }) { return .tooLarge(reason) }
      if Self.finalCodes.contains(code) { return .refused(reason) }
    }
    return response.status >= 500 ? later() : .refused(reason)
  }

  /// What no answer at all means.
  static func outcome(of failure: HTTPFailure, trustAdvice: String = DestinationOptions().trustAdvice) -> UploadOutcome {
    switch failure.kind {
    case .noLibrary, .badRequest, .tooLarge: .misconfigured(failure.message)
    case .untrusted:
      .misconfigured("\(failure.message): \(trustAdvice)")
    case .notHTTP: .misconfigured("\(failure.message): what listens there is no HTTP server")
    case .tls: .unavailable(Unavailability("\(failure.message): does it speak TLS?", hasAnswered: false))
    case .unresolved, .unconnected, .timedOut, .broken, .stopped:
      .unavailable(Unavailability(failure.message, hasAnswered: false))
    }
  }

  // Connect's codes (connectrpc.com, "Error codes") by what they mean for a profile.
  private static let retriedCodes: Set<String> = [
    "unknown", "internal", "unavailable", "data_loss", "aborted", "deadline_exceeded", "resource_exhausted",
  ]
  private static let configurationCodes: Set<String> = ["unauthenticated", "permission_denied", "unimplemented"]
  private static let finalCodes: Set<String> = [
    "invalid_argument", "not_found", "canceled", "failed_precondition", "out_of_range",
  ]

  /// What a Pyroscope server names the limits by that a part may keep.
  private static let sizeReasons = ["profile_size_limit", "body_size_limit", "samples_limit", "profile-size", "samples-limit"]

  /// A push is answered with an empty message; a page that says so in HTML came from something else.
  private static func isPyroscope(_ response: HTTPResponse) -> Bool {
    guard let type = response.header("Content-Type")?.lowercased() else { return response.body.isEmpty }
    return type.hasPrefix("application/proto") || type.hasPrefix("application/json")
      || type.hasPrefix("application/connect") || type.hasPrefix("application/grpc")
  }

  private static func retryAfter(_ response: HTTPResponse, _ nowSeconds: Int64) -> UInt64? {
    guard let text = response.header("Retry-After") else { return nil }
    if let seconds = UInt64(text) { return seconds }
    return HTTPDate.seconds(text).map { UInt64(max(0, $0 - nowSeconds)) }
  }

  private static func reason(_ response: HTTPResponse, _ error: ConnectError?) -> String {
    let status = "HTTP \(response.status)"
    if let error { return "\(status), \(error.code): \(error.message.onOneLine)" }
    let body = String(decoding: response.body.prefix(200), as: UTF8.self).onOneLine
    return body.isEmpty ? status : "\(status), \(body)"
  }
}

/// The body of a failed Connect call.
struct ConnectError: Hashable, Sendable {
  let code: String
  let message: String

  /// `nil` when the body is anything else.
  init?(_ body: [UInt8]) {
    guard let value = try? JSONReader.read(body, limit: CurlTransport.maximumBodyBytes),
      let code = value["code"]?.text
    else { return nil }
    self.code = code
    message = value["message"]?.text ?? ""
  }
}

extension String {
  /// For messages: what a server says may not draw on the terminal or fill it.
  var onOneLine: String {
    var text = ""
    for scalar in unicodeScalars.prefix(500) {
      let isControl = scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
      text.unicodeScalars.append(isControl ? " " : scalar)
    }
    return text
  }
}
