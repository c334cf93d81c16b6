import Base
import Configuration
import HTTP
import Profile
import Synchronization
import TestSupport
import Uploader

@testable import Agent

/// A clock that stands still but for those who sleep.
final class TestClock: UploadClock {
  private let state = Mutex((unix: Int64(1_800_000_000_000_000_000), monotonic: UInt64(1), slept: [UInt64]()))
  func unixNanoseconds() -> Int64 { state.withLock { $0.unix } }
  func monotonicNanoseconds() -> UInt64 { state.withLock { $0.monotonic } }
  func sleep(nanoseconds: UInt64) {
    state.withLock {
      $0.unix += Int64(nanoseconds)
      $0.monotonic += nanoseconds
      $0.slept.append(nanoseconds / 1_000_000)
    }
  }
  /// In milliseconds.
  var slept: [UInt64] { state.withLock { $0.slept } }
}

/// A transport that asks `answer`, and remembers what it was asked.
final class TestTransport: HTTPTransport {
  private let answer: @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> HTTPResponse
  private let log = Mutex<[HTTPRequest]>([])
  init(_ answer: @escaping @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> HTTPResponse) { self.answer = answer }
  var requests: [HTTPRequest] { log.withLock { $0 } }
  func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let number = log.withLock {
      $0.append(request)
      return $0.count - 1
    }
    return try answer(request, number)
  }
  func download(_ request: HTTPRequest, to file: HTTPDownload) throws(HTTPFailure) -> HTTPResponse { try perform(request) }

  /// What a receiver answers.
  static func ask(_ receiver: PushReceiver, _ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
    let headers = Dictionary(request.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
    let path = request.url.firstRange(of: "/push.").map { String(request.url[$0.lowerBound...]) } ?? "/"
    let answer = receiver.answer(LoopbackRequest(method: request.method, path: path, headers: headers, body: request.body))
    guard case .respond(let status, let headers, let body) = answer else { throw HTTPFailure(.broken, "no answer") }
    return HTTPResponse(status: status, headers: headers.map { HTTPHeader($0.0, $0.1) }, body: body)
  }
}

enum Samples {
  static func profile(samples: Int = 3, time: Int64 = 1_799_999_900_000_000_000) -> Profile {
    var builder = ProfileBuilder(expectedStrings: 16, expectedSamples: samples)
    builder.addSampleType("cpu", unit: "nanoseconds")
    builder.setPeriod(10_000_000, of: "cpu", unit: "nanoseconds")
    builder.setTime(startNanoseconds: time, durationNanoseconds: 15_000_000_000)
    let app = builder.mapping(ProfileMapping(start: 0x400000, limit: 0x4000000, offset: 0, file: builder.string("app")))
    for index in 0..<samples {
      let function = builder.function(name: builder.string("function_\(index)"))
      let location = builder.location(
        mapping: app, address: UInt64(0x400000 + index * 16), lines: [ProfileLine(function: function)])
      builder.addSample(locations: [location], values: [10_000_000], labels: [])
    }
    return builder.finish()
  }

  static func item(_ service: String, samples: Int = 3, time: Int64 = 1_799_999_900_000_000_000) -> ProfileBatch.Item {
    ProfileBatch.Item(
      receivers: ["pyroscope.write.w"],
      upload: UploadItem(
        source: "window", labels: [UploadLabel("service_name", service)], metric: "process_cpu",
        profile: EncodedProfile(profile(samples: samples, time: time))))
  }

  static func batch(_ items: [ProfileBatch.Item]) -> ProfileBatch {
    var batch = ProfileBatch()
    batch.items = items
    return batch
  }
}

enum Reading {
  static func configuration(_ text: String) throws -> Configuration {
    var warnings: [Diagnostic] = []
    let environment = ConfigurationEnvironment(hostname: "host-1", version: "v1") { _ in nil }
    return try Configuration(SourceFile(name: "test.alloy", bytes: Array(text.utf8)), environment, warnings: &warnings)
  }

  /// The endpoints of `pyroscope.write.w` with these blocks in it.
  static func endpoints(_ blocks: String) throws -> [EndpointSettings] {
    let configuration = try configuration("pyroscope.write \"w\" {\n\(blocks)\n}")
    return try AgentPlan(configuration, configuration.evaluate { _, _ in [] }, userAgent: "pyrorec/test").endpoints
  }
}
