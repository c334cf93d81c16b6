import HTTP
import Profile
import TestSupport
import Testing
import Uploader

@testable import Agent

/// One endpoint of a spool, with a clock and a server of its own.
private final class Delivering {
  let directory: ScratchDirectory
  let spool: Spool
  let clock = TestClock()
  let receiver: PushReceiver
  let transport: TestTransport
  var delivery: EndpointDelivery

  init(
    _ endpoint: String = "url = \"http://127.0.0.1:4040\"", limits: PushReceiver.Limits = PushReceiver.Limits(),
    answer: @escaping @Sendable (PushReceiver, HTTPRequest, Int) throws(HTTPFailure) -> HTTPResponse
  ) throws {
    directory = try ScratchDirectory()
    spool = try Spool(directory.path + "/spool")
    let clock = clock
    let receiver = PushReceiver(limits: limits) { clock.unixNanoseconds() }
    self.receiver = receiver
    transport = TestTransport { request, number throws(HTTPFailure) in try answer(receiver, request, number) }
    var settings = try Reading.endpoints("endpoint {\n\(endpoint)\n}")[0]
    settings.options.transport = transport
    delivery = EndpointDelivery(settings, to: try Destinations.open(settings.url, settings.options), clock: clock, seed: 1) { _ in }
  }

  func add(_ items: [ProfileBatch.Item], _ name: String = "1") throws {
    try spool.add(Samples.batch(items), of: "\(spool.path)/windows/\(name).seg")
  }

  /// Until nothing is left, at most so many times.
  func deliver(_ rounds: Int = 20) {
    for _ in 0..<rounds {
      guard let name = delivery.next(of: spool.batchNames()) else { return }
      _ = delivery.deliver(name, in: spool) { false }
    }
  }

  var services: [String] {
    receiver.accepted.map { $0.labels.first { $0.name == "service_name" }?.value ?? "" }.sorted()
  }
}

private func connect(_ status: Int, _ code: String, _ headers: [HTTPHeader] = []) -> HTTPResponse {
  HTTPResponse(
    status: status, headers: [HTTPHeader("Content-Type", "application/json")] + headers,
    body: Array(#"{"code":"\#(code)","message":"because"}"#.utf8))
}

struct EndpointDeliveryTests {
  @Test func `what a server does not take now comes again, and each profile is taken once`() throws {
    let delivering = try Delivering { receiver, request, number throws(HTTPFailure) in
      switch number {
      case 0: throw HTTPFailure(.unconnected, "refused")
      case 1: return connect(503, "unavailable")
      case 2: throw HTTPFailure(.timedOut, "too slow")
      case 3: return connect(429, "resource_exhausted", [HTTPHeader("Retry-After", "7")])
      default: return try TestTransport.ask(receiver, request)
      }
    }
    try delivering.add([Samples.item("a"), Samples.item("b")])
    delivering.deliver()
    #expect(delivering.services == ["a", "b"])
    #expect(delivering.transport.requests.count == 6)
    // Doubling from half a second, and at least what the server asks for.
    let slept = delivering.clock.slept
    #expect(slept.count == 4)
    #expect((500...1000).contains(slept[0]))
    #expect((1000...2000).contains(slept[1]))
    #expect((2000...4000).contains(slept[2]))
    #expect(slept[3] >= 7000)
  }

  @Test func `a refusal for good is not tried again and holds up nothing, also in the next run`() throws {
    let delivering = try Delivering { receiver, request, number throws(HTTPFailure) in
      number == 0 ? connect(400, "invalid_argument") : try TestTransport.ask(receiver, request)
    }
    try delivering.add([Samples.item("a"), Samples.item("b"), Samples.item("c")])
    delivering.deliver()
    #expect(delivering.services == ["b", "c"])
    #expect(delivering.clock.slept.isEmpty)
    let settings = try Reading.endpoints("endpoint { url = \"http://127.0.0.1:4040\" }")[0]
    var options = settings.options
    options.transport = delivering.transport
    var next = EndpointDelivery(
      settings, to: try Destinations.open(settings.url, options), clock: delivering.clock, seed: 2
    ) { _ in }
    #expect(next.deliver("1.pb", in: delivering.spool) { false } == .delivered)
    #expect(delivering.transport.requests.count == 3)
  }

  @Test func `an answer lost on the way does not make two of a profile`() throws {
    let delivering = try Delivering { receiver, request, number throws(HTTPFailure) in
      let answer = try TestTransport.ask(receiver, request)
      if number == 0 { throw HTTPFailure(.broken, "the connection ended") }
      return answer
    }
    try delivering.add([Samples.item("a")])
    delivering.deliver()
    #expect(delivering.services == ["a"])
    #expect(delivering.transport.requests.count == 2)
  }

  @Test func `a profile too large for a server is sent in parts that hold all of it`() throws {
    var limits = PushReceiver.Limits()
    limits.samples = 300
    let delivering = try Delivering(limits: limits) { receiver, request, _ throws(HTTPFailure) in
      try TestTransport.ask(receiver, request)
    }
    try delivering.add([Samples.item("a", samples: 2000)])
    delivering.deliver()
    #expect(delivering.receiver.total == 2000 * 10_000_000)
    #expect(Set(delivering.receiver.accepted.map { $0.timeNanoseconds / 1_000_000 }).count == delivering.receiver.accepted.count)
    #expect(delivering.receiver.accepted.allSatisfy { $0.profile.samples.count <= 300 })
  }

  @Test func `a profile that a server never takes goes behind the others when its tries are used up`() throws {
    let delivering = try Delivering("url = \"http://127.0.0.1:4040\"\nmax_backoff_retries = 3") {
      receiver, request, _ throws(HTTPFailure) in
      String(decoding: request.body, as: UTF8.self).contains("poison") ? connect(500, "internal") : try TestTransport.ask(receiver, request)
    }
    try delivering.add([Samples.item("poison"), Samples.item("b")])
    try delivering.add([Samples.item("c")], "2")
    delivering.deliver()
    #expect(delivering.services == ["b", "c"])
    #expect(delivering.transport.requests.count == 5)
    // Later it has its turn again.
    delivering.clock.sleep(nanoseconds: 600_000_000_000)
    #expect(delivering.delivery.next(of: delivering.spool.batchNames()) == "1.pb")
  }

  @Test func `with retry_on_http_429 false a server that has had enough is not asked again, a proxy is`() throws {
    let delivering = try Delivering("url = \"http://127.0.0.1:4040\"\nretry_on_http_429 = false") {
      receiver, request, number throws(HTTPFailure) in
      switch number {
      case 0: return connect(429, "resource_exhausted")
      case 1: return HTTPResponse(status: 429, body: Array("slow down".utf8))
      default: return try TestTransport.ask(receiver, request)
      }
    }
    try delivering.add([Samples.item("a"), Samples.item("b")])
    delivering.deliver()
    #expect(delivering.services == ["b"])
  }

  @Test func `an endpoint that refuses everyone is asked once a minute and loses nothing`() throws {
    let delivering = try Delivering { receiver, request, number throws(HTTPFailure) in
      number < 3 ? connect(401, "unauthenticated") : try TestTransport.ask(receiver, request)
    }
    try delivering.add([Samples.item("a")])
    delivering.deliver()
    #expect(delivering.services == ["a"])
    #expect(delivering.clock.slept.allSatisfy { $0 >= 60_000 })
  }

  @Test func `external labels take the place of a profile's own`() throws {
    let directory = try ScratchDirectory()
    let spool = try Spool(directory.path)
    let clock = TestClock()
    let receiver = PushReceiver { clock.unixNanoseconds() }
    var settings = try Reading.endpoints(
      "external_labels = { service_name = \"other\", env = \"test\" }\nendpoint { url = \"http://127.0.0.1:4040\" }")[0]
    settings.options.transport = TestTransport { request, _ throws(HTTPFailure) in try TestTransport.ask(receiver, request) }
    var delivery = EndpointDelivery(settings, to: try Destinations.open(settings.url, settings.options), clock: clock, seed: 1) { _ in }
    try spool.add(Samples.batch([Samples.item("a")]), of: "\(directory.path)/windows/1.seg")
    #expect(delivery.deliver("1.pb", in: spool) { false } == .delivered)
    let labels = try #require(receiver.accepted.first).labels.map { "\($0.name)=\($0.value)" }
    #expect(labels == ["__name__=process_cpu", "env=test", "service_name=other"])
  }
}
