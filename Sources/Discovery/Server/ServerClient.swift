package import HTTP

/// Asks one server. Not for two threads at once: a request waits for the one before it.
package struct ServerClient: Sendable {
  /// Makes a transport that connects and trusts as it is told.
  package typealias TransportMaker = @Sendable (ServerAccess) throws(HTTPError) -> any HTTPTransport

  package static let curl: TransportMaker = { (access) throws(HTTPError) in
    try CurlTransport(tls: access.tls, connection: access.connection)
  }

  package let access: ServerAccess
  private let transport: any HTTPTransport
  private let stop: Waker?

  package init(_ access: ServerAccess, until stop: Waker?, _ makeTransport: TransportMaker) throws(DiscoveryError) {
    self.access = access
    self.stop = stop
    do throws(HTTPError) { transport = try makeTransport(access) } catch { throw DiscoveryError("\(error)") }
  }

  /// What is asked for, and how long and large the answer may be.
  package struct Question {
    /// From the server's address on, with a query if there is one.
    package var path: String
    package var headers: [HTTPHeader] = []
    package var timeoutMilliseconds: Int
    package var maximumBodyBytes: Int
    package init(_ path: String, timeoutMilliseconds: Int, maximumBodyBytes: Int) {
      self.path = path
      self.timeoutMilliseconds = timeoutMilliseconds
      self.maximumBodyBytes = maximumBodyBytes
    }
  }

  /// The answer, whatever its status.
  package func ask(_ question: Question) throws(DiscoveryError) -> HTTPResponse {
    let request = try request(question)
    let response: HTTPResponse
    do throws(HTTPFailure) {
      response = try transport.perform(request)
    } catch {
      throw failure(error, question)
    }
    if response.status == 401 { access.authorization.wasRefused() }
    if response.body.count >= question.maximumBodyBytes {
      throw DiscoveryError("\(shown(question)): the answer is larger than \(question.maximumBodyBytes >> 20) MiB", .tooLarge)
    }
    return response
  }

  /// The same with the body of a 2xx answer handed over as it comes.
  package func follow(_ question: Question, _ receive: ([UInt8]) -> Bool) throws(DiscoveryError) -> HTTPResponse {
    let request = try request(question)
    do throws(HTTPFailure) {
      let response = try transport.stream(request, receive)
      if response.status == 401 { access.authorization.wasRefused() }
      return response
    } catch {
      throw failure(error, question)
    }
  }

  private func failure(_ error: HTTPFailure, _ question: Question) -> DiscoveryError {
    // libcurl tells of the host and port that the URL names, where nobody is meant.
    if error.kind == .unconnected, let path = access.unixSocketPath {
      return DiscoveryError("nobody listens at \(path), or this user may not ask there: is the service running?", .unreachable)
    }
    return DiscoveryError(error, at: shown(question))
  }

  /// As it may be shown: no query.
  package func shown(_ question: Question) -> String { access.shown + question.path.prefix { $0 != "?" } }

  private func request(_ question: Question) throws(DiscoveryError) -> HTTPRequest {
    var request = HTTPRequest(method: "GET", url: access.address + question.path)
    request.headers = [HTTPHeader("Accept", "application/json")] + access.headers + question.headers
    request.headers += try access.authorization.headers()
    request.totalTimeoutMilliseconds = question.timeoutMilliseconds
    request.connectTimeoutMilliseconds = min(request.connectTimeoutMilliseconds, question.timeoutMilliseconds)
    request.maximumBodyBytes = question.maximumBodyBytes
    request.maximumRedirects = access.maximumRedirects
    request.unixSocketPath = access.unixSocketPath
    request.stopDescriptor = stop?.descriptor
    return request
  }
}
