import HTTP
import Testing
@testable import Uploader

private enum Meaning { case accepted, refused, tooLarge, alreadyThere, misconfigured, unavailable }

private func meaning(_ outcome: UploadOutcome) -> Meaning {
  switch outcome {
  case .accepted: .accepted
  case .refused: .refused
  case .tooLarge: .tooLarge
  case .alreadyThere: .alreadyThere
  case .misconfigured: .misconfigured
  case .unavailable: .unavailable
  }
}

private func outcome(_ response: HTTPResponse, charged: Int = 1000) -> UploadOutcome {
  PushAnswer.outcome(of: response, chargedBytes: charged, burst: 2_000_000, nowSeconds: 784_111_770)
}

private func connect(_ status: Int, _ code: String) -> HTTPResponse {
  HTTPResponse(
    status: status, headers: [HTTPHeader("Content-Type", "application/json")],
    body: Array(#"{"code":"\#(code)","message":"because"}"#.utf8))
}

@Test(arguments: [
  (connect(400, "invalid_argument"), Meaning.refused),
  (connect(401, "unauthenticated"), .misconfigured),
  (connect(403, "permission_denied"), .misconfigured),
  (connect(404, "unimplemented"), .misconfigured),
  (connect(429, "resource_exhausted"), .unavailable),
  (connect(499, "canceled"), .refused),
  (connect(500, "internal"), .unavailable),
  (connect(500, "unknown"), .unavailable),
  (connect(503, "unavailable"), .unavailable),
  (connect(504, "deadline_exceeded"), .unavailable),
  (connect(409, "aborted"), .unavailable),
  (connect(409, "already_exists"), .alreadyThere),
  (connect(500, "data_loss"), .unavailable),
  (HTTPResponse(status: 200), .accepted),
  (HTTPResponse(status: 200, headers: [HTTPHeader("content-type", "application/proto")]), .accepted),
  (HTTPResponse(status: 200, headers: [HTTPHeader("Content-Type", "text/html")], body: Array("<html>".utf8)), .misconfigured),
  (HTTPResponse(status: 200, body: [1, 2, 3]), .misconfigured),
  (HTTPResponse(status: 302, headers: [HTTPHeader("Location", "https://example.org/")]), .misconfigured),
  (HTTPResponse(status: 400), .refused),
  (HTTPResponse(status: 401), .misconfigured),
  (HTTPResponse(status: 404), .misconfigured),
  (HTTPResponse(status: 405), .misconfigured),
  (HTTPResponse(status: 408), .unavailable),
  (HTTPResponse(status: 413), .tooLarge),
  (HTTPResponse(status: 415), .misconfigured),
  (HTTPResponse(status: 429), .unavailable),
  (HTTPResponse(status: 500), .unavailable),
  (HTTPResponse(status: 502), .unavailable),
  (HTTPResponse(status: 503, body: Array("{\"code\":".utf8)), .unavailable),
  (HTTPResponse(status: 599), .unavailable),
])
private func `an answer means what Connect and HTTP say it does`(response: HTTPResponse, expected: Meaning) {
  #expect(meaning(outcome(response)) == expected)
}

@Test func `a rate limit that a profile can never pass is a refusal`() {
  #expect(meaning(outcome(connect(429, "resource_exhausted"), charged: 2_000_001)) == .tooLarge)
}

@Test(
  arguments: [
    ("7", 7), ("0", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 7), ("Sun, 06 Nov 1994 08:49:00 GMT", 0), ("soon", nil), ("-1", nil),
  ] as [(String, UInt64?)])
func `the server's wait is read as seconds or as a date`(text: String, seconds: UInt64?) {
  let response = HTTPResponse(status: 429, headers: [HTTPHeader("retry-after", text)])
  guard case .unavailable(let why) = outcome(response) else {
    Issue.record("429 is for later")
    return
  }
  #expect(why.retryAfterSeconds == seconds)
  #expect(why.hasAnswered)
}

@Test func `the server's words are shown on one line and without control characters`() {
  let response = HTTPResponse(status: 400, body: Array("bad\n\u{1b}[31mred".utf8))
  #expect(outcome(response) == .refused("HTTP 400, bad  [31mred"))
  #expect(outcome(connect(400, "invalid_argument")) == .refused("HTTP 400, invalid_argument: because"))
}

@Test(arguments: [
  (HTTPFailure.Kind.unresolved, Meaning.unavailable), (.unconnected, .unavailable), (.timedOut, .unavailable),
  (.broken, .unavailable), (.tls, .unavailable), (.untrusted, .misconfigured), (.badRequest, .misconfigured),
  (.notHTTP, .misconfigured), (.noLibrary, .misconfigured),
])
private func `no answer is for later, unless it cannot change`(kind: HTTPFailure.Kind, expected: Meaning) {
  #expect(meaning(PushAnswer.outcome(of: HTTPFailure(kind, "why"))) == expected)
}
