import HTTP
import Profile

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A Pyroscope server, reached through its push service over Connect: one profile a request.
package struct PyroscopeDestination: ProfileDestination {
  package static let schemes = ["http", "https"]

  package let rules: DestinationRules? = DestinationRules()
  package let identity: String?
  package let warnings: [String]

  private let url: String
  private let headers: [HTTPHeader]
  private let connectTimeoutMilliseconds: Int
  private let totalTimeoutMilliseconds: Int
  private let transport: any HTTPTransport
  private let authorization: (any Authorization)?
  private let maximumRedirects: Int
  private let retriesRateLimit: Bool
  private let trustAdvice: String

  package init(_ url: DestinationURL, _ options: DestinationOptions) throws(UploadError) {
    var credentials = options.credentials
    if let user = url.user {
      guard credentials == .none else {
        throw .invalidURL(url.text, why: "it names a user, and other credentials are given too; keep one of them")
      }
      credentials = .basic(user: user, password: url.password ?? "")
    }
    var headers = [
      HTTPHeader("Content-Type", "application/proto"),
      HTTPHeader("Connect-Protocol-Version", "1"),
      HTTPHeader("Connect-Timeout-Ms", String(options.requestTimeoutMilliseconds)),
      HTTPHeader("User-Agent", options.userAgent),
    ]
    authorization = options.authorization
    maximumRedirects = options.maximumRedirects
    retriesRateLimit = options.retriesRateLimit
    trustAdvice = options.trustAdvice
    let own = Set(headers.map { $0.name.lowercased() } + ["content-length", "host", "transfer-encoding", "content-encoding"])
    if let header = credentials.header {
      try Self.check(header)
      headers.append(header)
    }
    for header in options.headers {
      try Self.check(header)
      let name = header.name.lowercased()
      guard !own.contains(name) else { throw .invalidHeader(name: header.name, why: "it is set by the program") }
      guard name != "authorization" || (credentials == .none && authorization == nil) else {
        throw .invalidHeader(name: header.name, why: "a user, password or token is given too; keep one of them")
      }
      headers.append(header)
    }
    self.url = url.text + "/push.v1.PusherService/Push"
    self.headers = headers
    connectTimeoutMilliseconds = options.connectTimeoutMilliseconds
    totalTimeoutMilliseconds = options.requestTimeoutMilliseconds
    let tenant = options.headers.first { $0.name.lowercased() == "x-scope-orgid" }?.value
    identity = url.text + (tenant.map { " tenant " + $0 } ?? "")
    var warnings: [String] = []
    let isLocal = url.host == "localhost" || url.host == "::1" || url.host.hasPrefix("127.")
    let isSecret = authorization != nil || headers.contains { $0.name.lowercased() == "authorization" }
    if url.scheme == "http", isSecret, !isLocal {
      warnings.append("\(url.text): the password or token is sent unencrypted; use https://")
    }
    if options.tls.isInsecure, url.scheme == "https" {
      warnings.append("\(url.text): its certificate is not checked, so anyone on the way can read and change what is sent")
    }
    self.warnings = warnings
    if let transport = options.transport {
      self.transport = transport
    } else {
      do throws(HTTPError) {
        transport = try CurlTransport(tls: options.tls, connection: options.connection)
      } catch {
        throw .noLibrary(error)
      }
    }
  }

  /// A header that would end early or begin another is a mistake or an attack.
  private static func check(_ header: HTTPHeader) throws(UploadError) {
    // RFC 9110, section 5.6.2.
    let isToken = header.name.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "!#$%&'*+-.^_`|~".unicodeScalars.contains($0))
    }
    guard isToken, !header.name.isEmpty else {
      throw .invalidHeader(name: header.name.onOneLine, why: "a name has letters, digits and -._ only")
    }
    guard header.value.unicodeScalars.allSatisfy({ ($0.value >= 0x20 || $0 == "\t") && $0.value != 0x7f }) else {
      throw .invalidHeader(name: header.name, why: "its value has a control character")
    }
  }

  package func send(_ upload: PreparedUpload) -> UploadOutcome {
    var request = HTTPRequest(method: "POST", url: url, headers: headers)
    request.body = PushRequest.encode(
      labels: upload.labels, profile: upload.profile.bytes, id: hexadecimal(upload.contentKey))
    if let authorization {
      do throws(UploadError) {
        if let header = try authorization.header() {
          try Self.check(header)
          request.headers.append(header)
        }
      } catch {
        // A file that is missing may be there in a moment, and so may the server of tokens.
        return .unavailable(Unavailability("\(error)", hasAnswered: false))
      }
    }
    request.maximumRedirects = maximumRedirects
    request.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    request.totalTimeoutMilliseconds = totalTimeoutMilliseconds
    let response: HTTPResponse
    do { response = try transport.perform(request) } catch { return PushAnswer.outcome(of: error, trustAdvice: trustAdvice) }
    if response.status == 401 { authorization?.wasRefused() }
    return PushAnswer.outcome(
      of: response, chargedBytes: upload.chargedBytes, burst: rules?.burstBytes ?? .max, nowSeconds: Int64(time(nil)),
      retriesRateLimit: retriesRateLimit)
  }
}

/// 16 digits.
func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
