import Profile
import Testing
@testable import Uploader

private let now: Int64 = 1_800_000_000_000_000_000

private func plan(_ items: [UploadItem], restamp: Bool = false) throws -> UploadPlan {
  try UploadPlan(items, rules: DestinationRules(), now: now, restamp: restamp)
}

@Test func `a profile that is fine is sent as it is`() throws {
  let item = Samples.item()
  let plan = try plan([item])
  #expect(plan.uploads.map(\.profile) == [item.profile])
  #expect(plan.notes.isEmpty)
  #expect(plan.uploads[0].title == "process_cpu{service_name=\"shop\"}")
}

@Test func `equal labels and time get a millisecond each, in order`() throws {
  let plan = try plan([Samples.item(Samples.profile(samples: 2)), Samples.item(Samples.profile(samples: 3))])
  let times = plan.uploads.map(\.profile.timeNanoseconds)
  #expect(times == [1_799_999_900_000_000_000, 1_799_999_900_001_000_000])
  #expect(plan.uploads.map(\.profile.sampleCount) == [2, 3])
  let decoded = try PprofDecoder.decode(plan.uploads[1].profile.bytes)
  #expect(decoded.timeNanoseconds == times[1])
}

@Test func `older profiles come first`() throws {
  let old = Samples.item(Samples.profile(samples: 2, time: now - 1000_000_000_000))
  #expect(try plan([Samples.item(), old]).uploads.map(\.profile.sampleCount) == [2, 1])
}

@Test func `a large profile is split below every limit`() throws {
  let item = Samples.item(Samples.profile(samples: 60_000, depth: 20, functions: 3000))
  let plan = try plan([item])
  #expect(plan.uploads.count > 3)
  #expect(plan.notes == [.split(metric: "process_cpu", parts: plan.uploads.count)])
  for upload in plan.uploads {
    #expect(upload.chargedBytes < 2_000_000)
    #expect(upload.profile.sampleCount <= 16_000)
  }
  #expect(Set(plan.uploads.map { $0.profile.timeNanoseconds / 1_000_000 }).count == plan.uploads.count)
  #expect(Set(plan.uploads.map(\.contentKey)).count == plan.uploads.count)
}

@Test func `what is too old is warned of, and restamped if asked`() throws {
  let old = Samples.item(Samples.profile(time: now - 86_400_000_000_000))
  #expect(try plan([old]).notes == [.outsideWindow(count: 1, of: 1, oldestAgeSeconds: 86_400)])
  let restamped = try plan([old], restamp: true)
  #expect(restamped.notes == [.restamped(count: 1)])
  #expect(restamped.uploads[0].profile.timeNanoseconds == now - 10_000_000_000)
}

@Test func `the key of a profile does not depend on restamping`() throws {
  let items = [Samples.item(), Samples.item(), Samples.item(Samples.profile(samples: 2))]
  let plain = try plan(items)
  #expect(Set(plain.uploads.map(\.contentKey)).count == 3)
  #expect(try plan(items, restamp: true).uploads.map(\.contentKey) == plain.uploads.map(\.contentKey))
}

@Test func `a time of zero is now`() throws {
  let times = try plan([Samples.item(Samples.profile(time: 0)), Samples.item(Samples.profile(time: 0))]).uploads
    .map(\.profile.timeNanoseconds)
  #expect(times == [now, now + 1_000_000])
}

@Test func `without rules only restamping changes anything`() throws {
  let item = Samples.item(
    Samples.profile(samples: 20_000, time: 5), labels: [UploadLabel("a.b", "x"), UploadLabel("__meta", "y")])
  let plan = try UploadPlan([item], rules: nil, now: now, restamp: false)
  #expect(plan.uploads.map(\.profile) == [item.profile])
  #expect(plan.uploads[0].labels.map(\.name) == ["__meta", "__name__", "a.b"])
  #expect(plan.notes.isEmpty)
}
