package import HTTP

/// Where finished profiles go.
package protocol ProfileDestination: Sendable {
  /// The schemes of the URLs it takes.
  static var schemes: [String] { get }

  /// - Throws: `UploadError` when the options do not fit together or a library is missing.
  init(_ url: DestinationURL, _ options: DestinationOptions) throws(UploadError)

  /// What to obey before sending; `nil` when anything is taken.
  var rules: DestinationRules? { get }
  /// The same for the same place, without anything secret; what was sent is remembered under it. `nil` when sending
  /// the same again does no harm.
  var identity: String? { get }
  /// What the user should know before anything is sent.
  var warnings: [String] { get }

  /// One attempt, which may block; whether and when to try again is `RetryPolicy`'s to say.
  func send(_ upload: PreparedUpload) -> UploadOutcome
}

/// The limits of a server, as it has them unless told otherwise.
package struct DestinationRules: Hashable, Sendable {
  package var labels = LabelRules()
  package var times = TimeRules()
  /// Of the message and the labels together. The server's limit is its burst of 2 MB, whichever MB that is.
  package var maximumBytes = 1_900_000
  package var maximumSamples = 16_000
  /// A tenth under the server's 4 MB.
  package var bytesPerSecond = 3_600_000
  package var burstBytes = 1_900_000
  package init() {}
}

/// What a user may say about any destination; each takes what it has a use for.
package struct DestinationOptions: Sendable {
  package var credentials = Credentials.none
  /// In place of `credentials`, asked for every request.
  package var authorization: (any Authorization)?
  /// Sent with every request.
  package var headers: [HTTPHeader] = []
  package var tls = TLSOptions()
  package var connectTimeoutMilliseconds = 10_000
  /// Of one request, connecting included.
  package var requestTimeoutMilliseconds = 60_000
  package var userAgent = "pyrorec"
  package var connection = HTTPConnectionOptions()
  /// How many redirections are followed; without any they are an error that names the place.
  package var maximumRedirects = 0
  /// What to do about a server that is not trusted, as it is said here.
  package var trustAdvice = "give its authority with --ca-file, or --insecure to trust anyone"
  /// Whether a server that says it has had enough is asked again.
  package var retriesRateLimit = true
  /// `nil` for libcurl, loaded when needed.
  package var transport: (any HTTPTransport)?
  package init() {}
}

/// The destinations there are.
package enum Destinations {
  package static let all: [any ProfileDestination.Type] = [PyroscopeDestination.self, DirectoryDestination.self]

  /// The destination that takes `url`.
  package static func open(
    _ url: String, _ options: DestinationOptions = DestinationOptions()
  ) throws(UploadError) -> any ProfileDestination {
    let parsed = try DestinationURL(url)
    for destination in all where destination.schemes.contains(parsed.scheme) {
      return try destination.init(parsed, options)
    }
    let known = all.flatMap { $0.schemes }.map { $0 + "://" }.joined(separator: ", ")
    throw .invalidURL(parsed.text, why: "a destination starts with one of \(known)")
  }
}
