import Base
import HTTP
import Profile
import Synchronization
import TestSupport
@testable import Uploader

/// A clock that stands still but for those who sleep.
final class TestClock: UploadClock {
  private let state: Mutex<(unix: Int64, monotonic: UInt64, slept: [UInt64])>

  init(unixNanoseconds: Int64 = 1_800_000_000_000_000_000) { state = Mutex((unixNanoseconds, 1, [])) }

  func unixNanoseconds() -> Int64 { state.withLock { $0.unix } }
  func monotonicNanoseconds() -> UInt64 { state.withLock { $0.monotonic } }
  func sleep(nanoseconds: UInt64) {
    state.withLock {
      $0.unix += Int64(nanoseconds)
      $0.monotonic += nanoseconds
      $0.slept.append(nanoseconds)
    }
  }
  /// Every sleep so far, in milliseconds.
  var sleptMilliseconds: [UInt64] { state.withLock { $0.slept.map { $0 / 1_000_000 } } }
}

/// A transport that answers from a list, and then with the last of it.
final class TestTransport: HTTPTransport {
  private let answers: [Result<HTTPResponse, HTTPFailure>]
  private let log = Mutex<[HTTPRequest]>([])

  init(_ answers: [Result<HTTPResponse, HTTPFailure>]) { self.answers = answers }

  var requests: [HTTPRequest] { log.withLock { $0 } }

  func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let number = log.withLock {
      $0.append(request)
      return $0.count - 1
    }
    return try answers[min(number, answers.count - 1)].get()
  }

  func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse { try perform(request) }
}

/// A transport that hands requests to a receiver without a socket between.
struct ReceiverTransport: HTTPTransport {
  let receiver: PushReceiver

  func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let headers = Dictionary(request.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
    let path = request.url.firstRange(of: "/push.").map { String(request.url[$0.lowerBound...]) } ?? "/"
    let answer = receiver.answer(
      LoopbackRequest(method: request.method, path: path, headers: headers, body: request.body))
    guard case .respond(let status, let headers, let body) = answer else { throw HTTPFailure(.broken, "no answer") }
    return HTTPResponse(status: status, headers: headers.map { HTTPHeader($0.0, $0.1) }, body: body)
  }

  func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse { try perform(request) }
}

enum Samples {
  /// A profile of as many samples as asked for, each of its own stack.
  static func profile(
    samples: Int = 1, depth: Int = 3, functions: Int = 10, time: Int64 = 1_799_999_900_000_000_000,
    duration: Int64 = 10_000_000_000, label: String? = nil
  ) -> Profile {
    var builder = ProfileBuilder(expectedStrings: functions, expectedSamples: samples)
    builder.addSampleType("cpu", unit: "nanoseconds")
    builder.setPeriod(10_101_010, of: "cpu", unit: "nanoseconds")
    builder.setTime(startNanoseconds: time, durationNanoseconds: duration)
    let app = builder.mapping(
      ProfileMapping(start: 0x400000, limit: 0x4000000, offset: 0, file: builder.string("service")))
    let locations = (0..<functions).map { index in
      let function = builder.function(name: builder.string("service::Class\(index % 91)::method_\(index)"))
      return builder.location(
        mapping: app, address: UInt64(0x400000 + index * 16), lines: [ProfileLine(function: function)])
    }
    var random = SeededGenerator(seed: 7)
    for index in 0..<samples {
      var stack = (0..<depth).map { _ in locations[Int.random(in: 0..<functions, using: &random)] }
      // The number of the sample in three digits of base `functions`, so that no two are equal.
      stack += [index, index / functions, index / functions / functions].map { locations[$0 % functions] }
      let labels = label.map { [SampleLabel(key: builder.string($0), text: builder.string("v\(index % 3)"))] } ?? []
      builder.addSample(locations: stack, values: [Int64(1 + index % 9)], labels: labels)
    }
    return builder.finish()
  }

  static func item(
    _ profile: Profile = profile(), labels: [UploadLabel] = [UploadLabel("service_name", "shop")],
    metric: String = "process_cpu", source: String = "trace.seg"
  ) -> UploadItem {
    UploadItem(source: source, labels: labels, metric: metric, profile: EncodedProfile(profile))
  }

  /// An upload as a plan for a server would make it.
  static func upload() throws -> PreparedUpload {
    try UploadPlan([item()], rules: DestinationRules(), now: TestClock().unixNanoseconds(), restamp: false).uploads[0]
  }
}
