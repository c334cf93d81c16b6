/// One HTTP request; a value, so that a test can look at it.
package struct HTTPRequest: Hashable, Sendable {
  package var method: String
  package var url: String
  package var headers: [HTTPHeader]
  package var body: [UInt8]
  package var connectTimeoutMilliseconds = 10_000
  package var totalTimeoutMilliseconds = 60_000
  /// How many redirections are followed.
  package var maximumRedirects = 0
  /// Of an answer that is kept in memory; what is above is cut off.
  package var maximumBodyBytes = CurlTransport.maximumBodyBytes
  /// The server's socket; the URL's host is then only what the request says. `nil`: the URL says where the server is.
  package var unixSocketPath: String?
  /// The request ends, within about a second, when this can be read.
  package var stopDescriptor: Int32?

  package init(method: String, url: String, headers: [HTTPHeader] = [], body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

package struct HTTPHeader: Hashable, Sendable {
  package let name: String
  package let value: String
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

package struct HTTPResponse: Hashable, Sendable {
  package let status: Int
  /// In the order they came.
  package let headers: [HTTPHeader]
  /// At most `HTTPRequest.maximumBodyBytes`; what was above is cut off.
  package let body: [UInt8]

  package init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first header of that name, whatever the case.
  package func header(_ name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

/// Why there was no answer.
package struct HTTPFailure: Error, Hashable {
  package enum Kind: Hashable, Sendable {
    case noLibrary
    /// The request is not possible as it is: its URL, its certificate files.
    case badRequest
    case unresolved
    case unconnected
    case timedOut
    case untrusted
    case tls
    /// The connection ended before the answer did.
    case broken
    case notHTTP
    /// More bytes than were asked for.
    case tooLarge
    /// By `HTTPRequest.stopDescriptor`.
    case stopped
  }
  package let kind: Kind
  package let message: String
  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

/// Where an answer's body goes that is too large for memory.
package struct HTTPDownload: Hashable, Sendable {
  /// An open file, written from where it stands.
  package var descriptor: Int32
  package var maximumByteCount: Int
  /// The answer has failed when fewer than `stallByteCount` bytes came in so many seconds; 0: never.
  package var stallSeconds: Int
  package var stallByteCount: Int

  package init(descriptor: Int32, maximumByteCount: Int, stallSeconds: Int = 0, stallByteCount: Int = 0) {
    self.descriptor = descriptor
    self.maximumByteCount = maximumByteCount
    self.stallSeconds = stallSeconds
    self.stallByteCount = stallByteCount
  }
}

/// Sends requests. Calls block: they belong on a thread that may wait.
package protocol HTTPTransport: Sendable {
  func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse
  /// The same with the body written to a file, whatever the status; the response's own is then empty.
  func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse
  /// The same with the body of a 2xx answer handed over as it comes, of any length; the response's own is then empty.
  /// - Parameter receive: says whether it wants more; what comes after is not waited for.
  func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse
}

extension HTTPTransport {
  package func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse {
    let response = try perform(request)
    guard response.status / 100 == 2 else { return response }
    _ = receive(response.body)
    return HTTPResponse(status: response.status, headers: response.headers)
  }
}
