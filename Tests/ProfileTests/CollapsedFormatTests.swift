@testable import Profile
import Testing

private func text(_ profile: Profile, _ options: FormatOptions = FormatOptions()) -> String {
  String(decoding: CollapsedFormat.encode(profile, options), as: UTF8.self)
}

@Test func `a line a stack, root first, counting samples, sorted`() {
  #expect(
    text(SampleProfiles.small()) == """
      worker;main;vfs_read 2
      worker;main;work;step 4

      """)
}

@Test func `annotations mark kernel and inlined frames, lines add where they are`() {
  #expect(
    text(SampleProfiles.small(), FormatOptions(annotate: true, lines: true)) == """
      worker;main (work.c:22);vfs_read_[k] 2
      worker;main (work.c:22);work (work.c:9);step (work.c:3)_[i] 4

      """)
}

private func profile(names: [String], values: [Int64], comm: String = "sh", period: Int64 = 0) -> Profile {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  if period != 0 { builder.setPeriod(period, of: "cpu", unit: "nanoseconds") }
  for (index, name) in names.enumerated() {
    let function = builder.function(name: builder.string(name))
    let location = builder.location(mapping: nil, address: UInt64(index), lines: [ProfileLine(function: function)])
    builder.addSample(locations: [location], values: [values[index]], threadName: builder.string(comm))
  }
  return builder.finish()
}

@Test func `equal lines are summed, also when their addresses differ`() {
  #expect(text(profile(names: ["f", "g", "f"], values: [1, 2, 3])) == "sh;f 4\nsh;g 2\n")
}

@Test func `lines are sorted by bytes`() {
  #expect(text(profile(names: ["é", "a;b", "Z", "a"], values: [1, 1, 1, 1])) == "sh;Z 1\nsh;a 1\nsh;a:b 1\nsh;é 1\n")
}

@Test func `what would end a frame or a line is replaced in names`() {
  #expect(text(profile(names: ["a;b\nc\td"], values: [1], comm: "x;y\n")) == "x:y ;a:b c d 1\n")
}

@Test func `counts are rounded to whole samples and empty ones left out`() {
  #expect(text(profile(names: ["a", "b", "c"], values: [149, 151, 49], period: 100)) == "sh;a 1\nsh;b 2\n")
}

@Test func `without a thread name the label comm serves, without either it is unknown`() {
  var builder = ProfileBuilder()
  builder.addSampleType("samples", unit: "count")
  let function = builder.function(name: builder.string("f"))
  let stack = [builder.location(mapping: nil, address: 0, lines: [ProfileLine(function: function)])]
  builder.addSample(locations: stack, values: [1])
  builder.addSample(
    locations: stack, values: [2], labels: [SampleLabel(key: builder.string("comm"), text: builder.string("bash"))])
  #expect(text(builder.finish()) == "[unknown];f 1\nbash;f 2\n")
}

@Test func `every format has its own name and pprof comes first`() {
  #expect(ProfileFormats.all.map { $0.name } == ["pprof", "collapsed"])
  #expect(ProfileFormats.named("collapsed") != nil)
  #expect(ProfileFormats.named("svg") == nil)
}
