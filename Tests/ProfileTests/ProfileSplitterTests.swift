@testable import Profile
import Testing

/// The lines of the text form that are about samples, all parts' together and sorted.
private func stacks(_ profiles: [Profile]) -> [String] {
  profiles.flatMap { profile in
    PprofText.text(profile).split(separator: "\n\n").dropFirst().map { String($0).trimmed }
  }.sorted()
}

extension String {
  fileprivate var trimmed: String { String(reversed().drop { $0 == "\n" }.reversed()) }
}

@Test func `a profile that fits stays whole`() {
  let profile = SampleProfiles.small()
  #expect(ProfileSplitter.split(profile, maximumBytes: 1 << 20, maximumSamples: 16000) == [profile])
}

@Test(arguments: [(100_000, 16000), (1 << 20, 500), (20_000, 100)])
func `parts stay under both limits, and together are the whole`(bytes: Int, samples: Int) {
  let whole = SampleProfiles.large(samples: 3000, depth: 20, functions: 500, labels: true)
  let parts = ProfileSplitter.split(whole, maximumBytes: bytes, maximumSamples: samples)
  #expect(parts.count > 1)
  for part in parts {
    #expect(PprofFormat.message(part).count <= bytes)
    #expect(part.samples.count <= samples)
    #expect(part.timeNanoseconds == whole.timeNanoseconds)
    #expect(part.period == whole.period)
  }
  #expect(parts.reduce(0) { $0 + $1.samples.count } == whole.samples.count)
  #expect(stacks(parts) == stacks([whole]))
}

@Test func `parts are filled well and hold only what their samples use`() {
  let whole = SampleProfiles.large(samples: 20_000, depth: 30)
  let limit = 500_000
  let parts = ProfileSplitter.split(whole, maximumBytes: limit, maximumSamples: 16000)
  for part in parts.dropLast() { #expect(PprofFormat.message(part).count > limit * 9 / 10) }
  for part in parts {
    #expect(Set((0..<part.samples.count).flatMap { part.samples.locations($0) }).count == part.locations.count)
    #expect(Set(part.locations.lines.map(\.function)).count == part.functions.count)
  }
}

@Test func `a sample bigger than the limit is a part of its own`() {
  let whole = SampleProfiles.large(samples: 3, depth: 200)
  let parts = ProfileSplitter.split(whole, maximumBytes: 500, maximumSamples: 10)
  #expect(parts.map(\.samples.count) == [1, 1, 1])
}

@Test func `the main binary stays the first mapping of every part`() {
  let parts = ProfileSplitter.split(SampleProfiles.small(), maximumBytes: 1, maximumSamples: 1)
  #expect(parts.count == 2)
  for part in parts { #expect(part.strings[part.mappings[0].file] == "app") }
  #expect(parts[0].mappings.count == 1)
}
