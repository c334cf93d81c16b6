import Base
@testable import Profile
import Testing

@Test func `a profile comes back from pprof as it was, but for what pprof has no place for`() throws {
  let profile = SampleProfiles.small()
  let decoded = try PprofDecoder.decode(PprofFormat.encode(profile))
  #expect(
    PprofText.text(decoded) == """
      type cpu/nanoseconds
      period 10 cpu/nanoseconds
      time 1700000000000000000
      duration 5000000000
      mapping 0x400000-0x500000 @0x1000 app build=0123abcd functions filenames lines inlines
      mapping 0xffffffff81000000-0xffffffff82000000 @0x0 [kernel.kallsyms] functions

      sample 40
        step work.c:3 app 0x400200 inlined
        work work.c:9 app 0x400200 system=_Z4workv
        main work.c:22 app 0x400100 start=20

      sample 20
        vfs_read [kernel.kallsyms] 0xffffffff81000042
        main work.c:22 app 0x400100 start=20

      """)
}

@Test func `the message is byte for byte what profile proto says`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "ns")
  let function = builder.function(name: builder.string("f"))
  let location = builder.location(mapping: nil, address: 5, lines: [ProfileLine(function: function, line: 7)])
  builder.addSample(locations: [location], values: [300])
  #expect(
    PprofFormat.message(builder.finish()) == [
      0x0a, 4, 0x08, 1, 0x10, 2,  // sample_type { type 1, unit 2 }
      0x12, 7, 0x0a, 1, 1, 0x12, 2, 0xac, 0x02,  // sample { location_id [1], value [300] }
      0x1a, 4, 0x08, 1, 0x38, 1,  // mapping { id 1, has_functions }: there is no other
      0x22, 10, 0x08, 1, 0x18, 5, 0x22, 4, 0x08, 1, 0x10, 7,  // location { id 1, address 5, line { function 1, line 7 } }
      0x2a, 4, 0x08, 1, 0x10, 3,  // function { id 1, name 3 }
      0x32, 0,  // string 0
      0x32, 3, 0x63, 0x70, 0x75,  // string 1, "cpu"
      0x32, 2, 0x6e, 0x73,  // string 2, "ns"
      0x32, 1, 0x66,  // string 3, "f"
    ])
}

@Test func `labels, comments and several values come back`() throws {
  var builder = ProfileBuilder()
  builder.addSampleType("samples", unit: "count")
  builder.addSampleType("cpu", unit: "nanoseconds")
  builder.setDefaultSampleType("cpu")
  builder.addComment("two\nlines")
  let function = builder.function(name: builder.string("f"))
  let location = builder.location(mapping: nil, address: 0, lines: [ProfileLine(function: function)])
  builder.addSample(
    locations: [location], values: [1, -5],
    labels: [
      SampleLabel(key: builder.string("comm"), text: builder.string("sh")),
      SampleLabel(key: builder.string("bytes"), number: 4096, unit: builder.string("B")),
    ])
  let decoded = try PprofDecoder.decode(PprofFormat.encode(builder.finish()))
  #expect(
    PprofText.text(decoded) == """
      type samples/count
      type cpu/nanoseconds
      default cpu
      time 0
      duration 0
      comment two\\nlines
      mapping 0x0-0x0 @0x0 functions

      sample 1 -5 comm=sh bytes=4096B
        f

      """)
}

@Test func `equal profiles encode to equal bytes`() {
  #expect(
    PprofFormat.encode(SampleProfiles.large(samples: 500, depth: 10, functions: 200))
      == PprofFormat.encode(SampleProfiles.large(samples: 500, depth: 10, functions: 200)))
}

@Test func `a message cut at any length is an error or a shorter profile, never a trap`() {
  let message = PprofFormat.message(SampleProfiles.small())
  var errors = 0
  for length in 0..<message.count {
    do { _ = try PprofDecoder.decode(Array(message[..<length])) } catch { errors += 1 }
  }
  // Only a cut between fields that nothing refers to can be read.
  #expect(errors > message.count * 9 / 10)
}

@Test func `any one byte changed is an error or another profile, never a trap`() {
  let message = PprofFormat.message(SampleProfiles.small())
  var changed = 0
  for place in message.indices {
    for flip in [0x01, 0x80, 0xff] as [UInt8] {
      var damaged = message
      damaged[place] ^= flip
      if let profile = try? PprofDecoder.decode(damaged) {
        // What is accepted can be used: every handle in it names something.
        changed += PprofText.text(profile).isEmpty ? 0 : 1
        _ = CollapsedFormat.encode(profile, FormatOptions(annotate: true, lines: true))
        _ = ProfileSplitter.split(profile, maximumBytes: 100, maximumSamples: 1)
      }
    }
  }
  #expect(changed > 0)
}

@Test func `ids may be any numbers in any order, tables may come after their users`() throws {
  let bytes: [UInt8] = [
    0x12, 6, 0x0a, 1, 70, 0x12, 1, 9,  // sample { location_id [70], value [9] }
    0x22, 6, 0x08, 70, 0x22, 2, 0x08, 99,  // location { id 70, line { function 99 } }
    0x2a, 4, 0x08, 99, 0x10, 1,  // function { id 99, name 1 }
    0x0a, 2, 0x08, 1,  // sample_type { type 1 }
    0x32, 0, 0x32, 1, 0x66,  // strings "", "f"
  ]
  let profile = try PprofDecoder.decode(bytes)
  #expect(PprofText.text(profile).hasSuffix("\nsample 9\n  f\n"))
}

@Test(
  arguments: [
    ("a location that is not there", [0x0a, 0, 0x12, 6, 0x0a, 1, 3, 0x12, 1, 9, 0x32, 0]),
    ("location 0", [0x0a, 0, 0x12, 6, 0x0a, 1, 0, 0x12, 1, 9, 0x32, 0]),
    ("a string that is not there", [0x0a, 2, 0x08, 9, 0x32, 0]),
    ("two values for one type", [0x0a, 0, 0x12, 4, 0x12, 2, 9, 9, 0x32, 0]),
    ("string 0 not empty", [0x32, 1, 0x66]),
    ("an id twice", [0x22, 2, 0x08, 4, 0x22, 2, 0x08, 4, 0x32, 0]),
    ("an id of 0 among others", [0x22, 2, 0x08, 4, 0x22, 2, 0x08, 0, 0x32, 0]),
  ] as [(String, [UInt8])])
func `contradictions are refused`(what: String, bytes: [UInt8]) {
  #expect(throws: ProfileError.self, "\(what)") { try PprofDecoder.decode(bytes) }
}

@Test func `text that is not UTF-8 is repaired`() throws {
  let bytes: [UInt8] = [0x0a, 2, 0x08, 1, 0x32, 0, 0x32, 2, 0xff, 0x41]
  #expect(PprofText.text(try PprofDecoder.decode(bytes)).hasPrefix("type \u{fffd}A/"))
}

@Test func `another time changes nothing else`() throws {
  let encoded = EncodedProfile(SampleProfiles.small())
  let moved = try encoded.moved(toNanoseconds: 1_800_000_000_000_000_000)
  #expect(moved.timeNanoseconds == 1_800_000_000_000_000_000)
  let before = PprofText.text(try PprofDecoder.decode(encoded.bytes))
  let after = PprofText.text(try PprofDecoder.decode(moved.bytes))
  #expect(after != before)
  #expect(after.replacing("time 1800000000000000000", with: "time 1700000000000000000") == before)
  #expect(try moved.moved(toNanoseconds: 1_700_000_000_000_000_000).uncompressedByteCount == encoded.uncompressedByteCount)
}

@Test func `an encoded profile says what a sender has to know`() {
  let profile = SampleProfiles.large(samples: 10, depth: 3, functions: 5, labels: true)
  let encoded = EncodedProfile(profile)
  #expect(encoded.uncompressedByteCount == PprofFormat.message(profile).count)
  #expect(encoded.sampleCount == 10)
  #expect(encoded.sampleTypes == ["cpu"])
  #expect(encoded.textLabelNames == ["thread"])
  #expect(encoded.durationNanoseconds == 60_000_000_000)
}
