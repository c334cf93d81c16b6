import CCurl
import Synchronization

/// HTTP through the host's libcurl, which is loaded with the first of these; where that is not possible, through its
/// curl program.
///
/// One request at a time; connections are kept for the next one. The proxy variables of the environment hold, except
/// for this very host.
package final class CurlTransport: HTTPTransport {
  /// Of an answer, unless the request says otherwise.
  package static let maximumBodyBytes = 1 << 20
  package static let maximumHeaderBytes = 1 << 16
  /// Debian's name, Debian's other build, and what a development package leaves.
  package static let libraryNames = ["libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"]

  private let session: Mutex<CurlSession>
  private let tls: TLSOptions
  private let connection: HTTPConnectionOptions

  /// - Throws: `HTTPError` when there is no libcurl that can be used, and no program (or it is not wanted).
  package init(
    tls: TLSOptions = TLSOptions(), connection: HTTPConnectionOptions = HTTPConnectionOptions(),
    libraryNames: [String] = CurlTransport.libraryNames, usesProgram: Bool = true
  ) throws(HTTPError) {
    session = Mutex(try CurlSession(libraryNames: libraryNames, usesProgram: usesProgram))
    self.tls = tls
    self.connection = connection
  }

  package func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    try session.withLock { session throws(HTTPFailure) in try session.perform(request, tls, connection, to: nil) }
  }

  package func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse {
    try session.withLock { session throws(HTTPFailure) in try session.perform(request, tls, connection, to: file) }
  }

  package func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse {
    // Only while `perform` runs.
    try withoutActuallyEscaping(receive) { receive throws(HTTPFailure) in
      let receiver = BodyReceiver(receive)
      return try session.withLock { session throws(HTTPFailure) in try session.perform(request, tls, connection, handing: receiver) }
    }
  }
}

/// What C calls with each piece of a body, on the thread that waits for it: `Sendable` so that it passes the lock, which is
/// taken and left by that thread.
private final class BodyReceiver: @unchecked Sendable {
  let receive: ([UInt8]) -> Bool
  init(_ receive: @escaping ([UInt8]) -> Bool) { self.receive = receive }
}

/// The C session, closed when the value goes away.
@safe private struct CurlSession: ~Copyable {
  private let pointer: OpaquePointer

  init(libraryNames: [String], usesProgram: Bool) throws(HTTPError) {
    var error = [CChar](repeating: 0, count: 512)
    var isStatic: Int32 = 0
    let opened = unsafe withCStrings(libraryNames) { names in
      // Safe: the list ends with a null pointer and lives as long as the call.
      unsafe pyrorec_http_session_open(names, usesProgram ? 1 : 0, &isStatic, &error, error.count)
    }
    guard let opened = unsafe opened else {
      throw HTTPError(why: Self.text(error), canBeInstalled: isStatic == 0)
    }
    unsafe pointer = opened
  }

  deinit { unsafe pyrorec_http_session_close(pointer) }

  func perform(
    _ given: HTTPRequest, _ tls: TLSOptions, _ connection: HTTPConnectionOptions, to file: HTTPDownload? = nil,
    handing receiver: BodyReceiver? = nil
  ) throws(HTTPFailure) -> HTTPResponse {
    var request = given
    // The URL then names whom the server has to prove to be, and where it is is said beside it.
    let detour = tls.serverName.flatMap { HTTPAddress.detour(of: given.url, provingToBe: $0) }
    if let detour {
      request.url = detour.url
      request.headers.append(HTTPHeader("Host", detour.host))
    }
    var plain = unsafe pyrorec_http_request()
    unsafe plain.connect_timeout_milliseconds = request.connectTimeoutMilliseconds
    unsafe plain.total_timeout_milliseconds = request.totalTimeoutMilliseconds
    unsafe plain.insecure = tls.isInsecure ? 1 : 0
    unsafe plain.tls_minor = Self.minor(tls.minimumVersion)
    unsafe plain.http1 = connection.allowsHTTP2 ? 0 : 1
    var proxy: (url: String, except: String)?
    switch connection.proxy {
    case .environment: unsafe plain.ignore_proxy = Self.isThisHost(given.url) || request.unixSocketPath != nil ? 1 : 0
    case .none: unsafe plain.ignore_proxy = 1
    case .url(let url, let except): proxy = (url, except)
    }
    unsafe plain.body_limit = file?.maximumByteCount ?? request.maximumBodyBytes
    unsafe plain.has_body_file = file == nil ? 0 : 1
    unsafe plain.body_file = file?.descriptor ?? -1
    unsafe plain.redirects = request.maximumRedirects
    unsafe plain.stall_seconds = file?.stallSeconds ?? 0
    unsafe plain.stall_bytes = file?.stallByteCount ?? 0
    unsafe plain.header_limit = CurlTransport.maximumHeaderBytes
    unsafe plain.has_stop_descriptor = request.stopDescriptor == nil ? 0 : 1
    unsafe plain.stop_descriptor = request.stopDescriptor ?? -1
    if let receiver {
      // Safe: the object lives to the end of this function, and C keeps none of it.
      unsafe plain.context = Unmanaged.passUnretained(receiver).toOpaque()
      unsafe plain.on_body = { context, bytes, count in
        guard let context = unsafe context else { return 0 }
        let piece = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
        return unsafe Unmanaged<BodyReceiver>.fromOpaque(context).takeUnretainedValue().receive(piece) ? 1 : 0
      }
    }
    defer { withExtendedLifetime(receiver) {} }
    let texts = [request.method, request.url] + request.headers.map { "\($0.name): \($0.value)" }
    let files = [tls.authorityFile, tls.certificateFile, tls.keyFile, detour?.connectTo, proxy?.url, proxy?.except, request.unixSocketPath]
    let proxyHeaders = connection.proxyHeaders.map { "\($0.name): \($0.value)" }
    var response = unsafe pyrorec_http_response()
    let result = unsafe withCStrings(texts + files.map { $0 ?? "" } + proxyHeaders) { strings in
      unsafe request.body.withUnsafeBytes { body in
        // Safe: everything the request points to lives until the call returns, and C keeps none of it.
        unsafe plain.method = UnsafePointer(strings[0])
        unsafe plain.url = UnsafePointer(strings[1])
        unsafe plain.headers = strings + 2
        unsafe plain.header_count = request.headers.count
        unsafe plain.body = body.isEmpty && request.method != "POST" ? nil : body.baseAddress ?? UnsafeRawPointer(strings)
        unsafe plain.body_length = body.count
        let first = 2 + request.headers.count
        unsafe plain.ca_file = files[0] == nil ? nil : strings[first]
        unsafe plain.certificate_file = files[1] == nil ? nil : strings[first + 1]
        unsafe plain.key_file = files[2] == nil ? nil : strings[first + 2]
        unsafe plain.connect_to = files[3] == nil ? nil : strings[first + 3]
        unsafe plain.proxy = files[4] == nil ? nil : strings[first + 4]
        unsafe plain.no_proxy = files[5] == nil ? nil : strings[first + 5]
        unsafe plain.unix_socket = files[6] == nil ? nil : strings[first + 6]
        unsafe plain.proxy_headers = strings + first + 7
        unsafe plain.proxy_header_count = proxyHeaders.count
        return unsafe pyrorec_http_perform(pointer, &plain, &response)
      }
    }
    // Safe: what C allocated is freed after it was copied.
    defer { unsafe pyrorec_http_response_free(&response) }
    guard let kind = Self.kind(result) else {
      return HTTPResponse(
        status: Int(unsafe response.status),
        headers: Self.headers(unsafe Self.bytes(response.headers, response.headers_length)),
        body: unsafe Self.bytes(response.body, response.body_length))
    }
    let error = unsafe withUnsafeBytes(of: response.error) { unsafe Array($0.prefix { $0 != 0 }) }
    throw HTTPFailure(kind, String(decoding: error, as: UTF8.self))
  }

  private static func kind(_ result: pyrorec_http_result) -> HTTPFailure.Kind? {
    switch result {
    case PYROREC_HTTP_OK: nil
    case PYROREC_HTTP_NO_LIBRARY: .noLibrary
    case PYROREC_HTTP_BAD_REQUEST: .badRequest
    case PYROREC_HTTP_UNRESOLVED: .unresolved
    case PYROREC_HTTP_UNCONNECTED: .unconnected
    case PYROREC_HTTP_TIMED_OUT: .timedOut
    case PYROREC_HTTP_UNTRUSTED: .untrusted
    case PYROREC_HTTP_TLS: .tls
    case PYROREC_HTTP_NOT_HTTP: .notHTTP
    case PYROREC_HTTP_TOO_LARGE: .tooLarge
    case PYROREC_HTTP_STOPPED: .stopped
    default: .broken
    }
  }

  private static func minor(_ version: TLSOptions.Version) -> Int32 {
    switch version {
    case .tls10: -1
    case .tls11: 1
    case .tls12: 2
    case .tls13: 3
    }
  }

  private static func isThisHost(_ url: String) -> Bool {
    let host = HTTPAddress.host(of: url)
    return host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }

  private static func bytes(_ start: UnsafeMutablePointer<CChar>?, _ count: Int) -> [UInt8] {
    // Safe: C says how many bytes there are; no pointer means none.
    unsafe Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The header lines after the status line.
  static func headers(_ bytes: [UInt8]) -> [HTTPHeader] {
    bytes.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      let name = String(decoding: line[..<colon], as: UTF8.self)
      let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
      let value = line[line.index(after: colon)...].drop(while: isSpace)
      let trimmed = value.reversed().drop(while: isSpace).reversed()
      return HTTPHeader(name, String(decoding: Array(trimmed), as: UTF8.self))
    }
  }
}

/// Runs `body` with the texts as C strings and a null pointer after the last.
private func withCStrings<Result>(
  _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
  var bytes: [CChar] = []
  var starts: [Int] = []
  for text in texts {
    starts.append(bytes.count)
    bytes.append(contentsOf: text.utf8.map { CChar(bitPattern: $0) })
    bytes.append(0)
  }
  bytes.append(0)
  return unsafe bytes.withUnsafeBufferPointer { buffer in
    // Safe: every start lies inside the buffer, which lives as long as the closure.
    var pointers: [UnsafePointer<CChar>?] = unsafe starts.map { unsafe buffer.baseAddress?.advanced(by: $0) }
    unsafe pointers.append(nil)
    return unsafe pointers.withUnsafeBufferPointer { list in
      guard let start = list.baseAddress else { preconditionFailure("the list holds at least its end") }
      return unsafe body(start)
    }
  }
}
