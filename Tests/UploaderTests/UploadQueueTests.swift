import HTTP
import Profile
import TestSupport
import Testing
@testable import Uploader

private func ok() -> Result<HTTPResponse, HTTPFailure> { .success(HTTPResponse(status: 200)) }
private func status(_ status: Int, retryAfter: String? = nil) -> Result<HTTPResponse, HTTPFailure> {
  .success(HTTPResponse(status: status, headers: retryAfter.map { [HTTPHeader("Retry-After", $0)] } ?? []))
}
private let absent = Result<HTTPResponse, HTTPFailure>.failure(HTTPFailure(.unconnected, "Connection refused"))

private struct Run {
  var summary: UploadSummary
  var requests: Int
  var waits: [UInt64]
}

private func run(
  _ answers: [Result<HTTPResponse, HTTPFailure>], items: Int = 1, journals: [String: UploadJournal] = [:]
) throws -> Run {
  let transport = TestTransport(answers)
  var options = DestinationOptions()
  options.transport = transport
  let destination = try Destinations.open("http://localhost:4040", options)
  let clock = TestClock()
  let plan = try UploadPlan(
    (0..<items).map { Samples.item(Samples.profile(samples: $0 + 1)) }, rules: destination.rules,
    now: clock.unixNanoseconds(), restamp: false)
  var queue = UploadQueue(to: destination, clock: clock, seed: 1)
  let summary = queue.run(plan, journals: journals)
  #expect(summary.sent + summary.alreadySent + summary.refused.count + summary.kept == items)
  return Run(summary: summary, requests: transport.requests.count, waits: clock.sleptMilliseconds)
}

@Test func `what is accepted is sent once`() throws {
  let run = try run([ok()], items: 3)
  #expect(run.summary.verdict == .complete)
  #expect(run.requests == 3)
  #expect(run.waits.isEmpty)
}

@Test func `a server that is busy is tried again after a wait`() throws {
  let run = try run([status(503), status(503), ok()])
  #expect(run.summary.verdict == .complete)
  #expect(run.requests == 3)
  #expect((500..<1000).contains(run.waits[0]) && (1000..<2000).contains(run.waits[1]))
}

@Test func `the server's own wait is obeyed`() throws {
  let run = try run([status(429, retryAfter: "9"), ok()])
  #expect(run.summary.verdict == .complete)
  #expect(run.waits == [9000])
}

@Test func `an absent server ends the run soon and everything is kept`() throws {
  let run = try run([absent], items: 5)
  #expect(run.requests == 4)
  #expect(run.summary.kept == 5)
  #expect(run.summary.verdict == .unavailable)
  #expect(run.summary.stop == .unavailable("Connection refused"))
}

@Test func `a server that goes away in between leaves the rest for later`() throws {
  let run = try run([ok(), absent], items: 3)
  #expect(run.summary.sent == 1)
  #expect(run.summary.kept == 2)
  #expect(run.requests == 11)
  #expect(run.summary.verdict == .partial)
}

@Test func `a refused profile does not hold up the others and is not tried again`() throws {
  let run = try run([status(400), ok()], items: 3)
  #expect(run.requests == 3)
  #expect(run.summary.sent == 2)
  #expect(run.summary.refused.count == 1)
  #expect(run.summary.verdict == .partial)
}

@Test func `wrong credentials end the run at once`() throws {
  let run = try run([status(401)], items: 3)
  #expect(run.requests == 1)
  #expect(run.summary.kept == 3)
  #expect(run.summary.verdict == .partial)
}

@Test func `one profile that always fails does not hold up the others`() throws {
  let run = try run(Array(repeating: status(500), count: 10) + [ok()], items: 3)
  #expect(run.summary.sent == 2)
  #expect(run.summary.kept == 1)
  #expect(run.summary.lastFailure == "HTTP 500")
}

@Test func `two in a row that fail through all attempts end the run`() throws {
  let run = try run([status(500)], items: 5)
  #expect(run.requests == 20)
  #expect(run.summary.kept == 5)
  #expect(run.summary.verdict == .unavailable)
}

@Test func `a second upload sends only what the first could not`() throws {
  let directory = TemporaryDirectory()
  let trace = directory.path + "/trace.seg"
  do {
    let journals = ["trace.seg": try UploadJournal(besides: trace)]
    let first = try run([ok(), status(400), absent], items: 4, journals: journals)
    #expect(first.summary.sent == 1)
    #expect(first.summary.kept == 2)
  }
  let journals = ["trace.seg": try UploadJournal(besides: trace)]
  let second = try run([ok()], items: 4, journals: journals)
  #expect(second.summary.alreadySent == 1)
  #expect(second.requests == 3)
  #expect(try run([ok()], items: 4, journals: journals).requests == 0)
}

// MARK: Against a receiver that has all the rules of a server

private func upload(
  _ items: [UploadItem], to receiver: PushReceiver, clock: TestClock, restamp: Bool = false
) throws -> UploadSummary {
  var options = DestinationOptions()
  options.transport = ReceiverTransport(receiver: receiver)
  let destination = try Destinations.open("http://localhost:4040", options)
  let plan = try UploadPlan(items, rules: destination.rules, now: clock.unixNanoseconds(), restamp: restamp)
  var queue = UploadQueue(to: destination, clock: clock, seed: 1)
  return queue.run(plan)
}

@Test func `a small profile is accepted whole`() throws {
  let clock = TestClock()
  let receiver = PushReceiver { clock.unixNanoseconds() }
  #expect(try upload([Samples.item()], to: receiver, clock: clock).verdict == .complete)
  #expect(receiver.refusals.isEmpty)
  let accepted = try #require(receiver.accepted.first)
  #expect(PprofText.text(accepted.profile) == PprofText.text(try PprofDecoder.decode(EncodedProfile(Samples.profile()).bytes)))
  #expect(accepted.labels.map(\.name) == ["__name__", "service_name"])
}

@Test func `a very large profile is accepted whole, without one refusal`() throws {
  let whole = Samples.profile(samples: 60_000, depth: 25, functions: 6000, label: "thread")
  let clock = TestClock()
  let receiver = PushReceiver { clock.unixNanoseconds() }
  let summary = try upload([Samples.item(whole)], to: receiver, clock: clock)
  #expect(summary.verdict == .complete)
  #expect(summary.sent > 3)
  #expect(receiver.refusals.isEmpty)
  #expect(receiver.total == whole.total(ofType: 0))
  #expect(receiver.accepted.reduce(0) { $0 + $1.profile.samples.count } == 60_000)
}

@Test func `many profiles with bad labels and equal times are accepted when made fit`() throws {
  let clock = TestClock()
  let receiver = PushReceiver { clock.unixNanoseconds() }
  let labels =
    (0..<40).map { UploadLabel("l.\($0)", String(repeating: "v", count: 3000)) } + [UploadLabel("__pid", "1")]
  let items = (0..<20).map { Samples.item(Samples.profile(samples: 1 + $0 % 2, label: "comm"), labels: labels) }
  #expect(try upload(items, to: receiver, clock: clock).verdict == .complete)
  #expect(receiver.refusals.isEmpty)
  #expect(receiver.accepted.count == 20)
}

@Test func `an old recording is refused as it is and accepted restamped`() throws {
  let clock = TestClock()
  let receiver = PushReceiver { clock.unixNanoseconds() }
  let items = (0..<3).map { Samples.item(Samples.profile(time: 1_700_000_000_000_000_000 + Int64($0) * 10_000_000_000)) }
  let plain = try upload(items, to: receiver, clock: clock)
  #expect(plain.refused.count == 3)
  #expect(plain.refused[0].reason.contains("not_in_ingestion_window"))
  #expect(try upload(items, to: receiver, clock: clock, restamp: true).verdict == .complete)
  let times = receiver.accepted.map(\.timeNanoseconds)
  #expect(times.map { $0 - times[0] } == [0, 10_000_000_000, 20_000_000_000])
}
