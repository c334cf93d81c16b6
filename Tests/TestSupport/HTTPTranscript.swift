import Base
package import HTTP
import Synchronization

/// One request and what came of it, as it was with a real server.
package struct HTTPExchange: Hashable, Sendable {
  /// Path and query.
  package var target: String
  package var status: Int
  package var headers: [HTTPHeader]
  /// The pieces of the body; of an answer that was not followed, one.
  package var pieces: [[UInt8]]

  package init(target: String, status: Int, headers: [HTTPHeader] = [], pieces: [[UInt8]] = []) {
    self.target = target
    self.status = status
    self.headers = headers
    self.pieces = pieces
  }

  package static func target(of url: String) -> String {
    let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
    return String(rest.drop { $0 != "/" })
  }

  /// One line of JSON.
  package var line: [UInt8] {
    var json = JSONWriter(indent: 0)
    json.object {
      $0.field("target", target)
      $0.field("status", status)
      $0.array("headers") { for header in headers { $0.value("\(header.name): \(header.value)") } }
      $0.array("pieces") { for piece in pieces { $0.value(String(decoding: piece, as: UTF8.self)) } }
    }
    return json.bytes + [0x0a]
  }

  package init?(line: [UInt8]) {
    guard let value = try? JSONReader.read(line), let target = value["target"]?.text, let status = value["status"]?.integer else {
      return nil
    }
    self.target = target
    self.status = Int(status)
    headers = (value["headers"]?.elements ?? []).compactMap { element in
      guard let text = element.text, let colon = text.firstIndex(of: ":") else { return nil }
      return HTTPHeader(String(text[..<colon]), String(text[text.index(after: colon)...].drop { $0 == " " }))
    }
    pieces = (value["pieces"]?.elements ?? []).map { Array(($0.text ?? "").utf8) }
  }

  /// The exchanges of a file with one a line.
  package static func read(_ path: String) throws -> [HTTPExchange] {
    try Fixture.bytes(path).split(separator: 0x0a).compactMap { HTTPExchange(line: Array($0)) }
  }
}

/// Passes requests on and keeps what came of them.
package final class RecordingTransport: HTTPTransport {
  private let transport: any HTTPTransport
  private let keep: @Sendable (HTTPExchange) -> Void

  package init(_ transport: any HTTPTransport, keep: @escaping @Sendable (HTTPExchange) -> Void) {
    self.transport = transport
    self.keep = keep
  }

  package func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let response = try transport.perform(request)
    keep(
      HTTPExchange(
        target: HTTPExchange.target(of: request.url), status: response.status, headers: response.headers, pieces: [response.body]))
    return response
  }

  package func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse {
    try transport.download(request, to: file)
  }

  package func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse {
    var exchange = HTTPExchange(target: HTTPExchange.target(of: request.url), status: 200)
    defer { keep(exchange) }
    let response = try transport.stream(request) { piece in
      exchange.pieces.append(piece)
      return receive(piece)
    }
    exchange.status = response.status
    exchange.headers = response.headers
    return response
  }
}

/// Answers as a recorded server did: the exchanges of one path and query one after another, and the last of them from then on.
package final class ReplayingTransport: HTTPTransport {
  private struct State {
    var answers: [String: [HTTPExchange]] = [:]
    var requests: [HTTPRequest] = []
  }
  private let state: Mutex<State>

  package init(_ exchanges: [HTTPExchange]) {
    state = Mutex(State(answers: Dictionary(grouping: exchanges) { $0.target }))
  }

  package var requests: [HTTPRequest] { state.withLock { $0.requests } }

  package func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let exchange = try answer(request)
    return HTTPResponse(status: exchange.status, headers: exchange.headers, body: exchange.pieces.flatMap { $0 })
  }

  package func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse {
    throw HTTPFailure(.badRequest, "no downloads here")
  }

  package func stream(_ request: HTTPRequest, _ receive: ([UInt8]) -> Bool) throws(HTTPFailure) -> HTTPResponse {
    let exchange = try answer(request)
    if exchange.status / 100 == 2 {
      for piece in exchange.pieces {
        if !receive(piece) { break }
      }
    }
    return HTTPResponse(status: exchange.status, headers: exchange.headers)
  }

  private func answer(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPExchange {
    let target = HTTPExchange.target(of: request.url)
    let found = state.withLock { state -> HTTPExchange? in
      state.requests.append(request)
      guard let answers = state.answers[target], let first = answers.first else { return nil }
      if answers.count > 1 { state.answers[target]?.removeFirst() }
      return first
    }
    guard let found else { throw HTTPFailure(.unconnected, "nothing was recorded for \(target)") }
    return found
  }
}
