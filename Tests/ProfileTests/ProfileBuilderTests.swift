import Profile
import Testing

@Test func `equal strings, functions and locations are kept once and string 0 is empty`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let first = builder.string("main")
  let second = builder.string("main")
  #expect(first == second)
  #expect(builder.string("") == .empty)
  #expect(builder.function(name: first) == builder.function(name: second))
  #expect(builder.function(name: first) != builder.function(name: first, startLine: 1))
  let main = builder.function(name: first)
  let lines = [ProfileLine(function: main, line: 1)]
  let location = builder.location(mapping: nil, address: 16, lines: lines)
  #expect(builder.location(mapping: nil, address: 16, lines: lines) == location)
  #expect(builder.location(mapping: nil, address: 17, lines: lines) != location)
  #expect(builder.location(mapping: nil, address: 16, lines: lines, isKernel: true) != location)
  #expect(builder.location(mapping: nil, address: 16, lines: [ProfileLine(function: main, line: 2)]) != location)
  let profile = builder.finish()
  #expect(profile.strings[.empty] == "")
  #expect(profile.strings.count == 4)
}

@Test func `equal samples become one whose value is the sum`() {
  let profile = SampleProfiles.small()
  #expect(profile.samples.count == 2)
  #expect(Array(profile.values(ofSample: 0)) == [40])
  #expect(Array(profile.values(ofSample: 1)) == [20])
  #expect(profile.total(ofType: 0) == 60)
}

@Test func `samples that differ in a label or the thread name stay apart`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let function = builder.function(name: builder.string("f"))
  let stack = [builder.location(mapping: nil, address: 1, lines: [ProfileLine(function: function)])]
  let key = builder.string("pid")
  builder.addSample(locations: stack, values: [1])
  builder.addSample(locations: stack, values: [1], threadName: builder.string("a"))
  builder.addSample(locations: stack, values: [1], labels: [SampleLabel(key: key, text: builder.string("1"))])
  builder.addSample(locations: stack, values: [1], labels: [SampleLabel(key: key, number: 1)])
  #expect(builder.finish().samples.count == 4)
}

@Test func `a sum that does not fit stays at the largest number`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let function = builder.function(name: builder.string("f"))
  let stack = [builder.location(mapping: nil, address: 1, lines: [ProfileLine(function: function)])]
  builder.addSample(locations: stack, values: [.max])
  builder.addSample(locations: stack, values: [1])
  #expect(Array(builder.finish().values(ofSample: 0)) == [.max])
}

@Test func `mapping flags say what the mapping's locations hold`() {
  let profile = SampleProfiles.small()
  let app = profile.mappings[0]
  #expect(app.hasFunctions && app.hasFilenames && app.hasLineNumbers && app.hasInlineFrames)
  let kernel = profile.mappings[1]
  #expect(kernel.hasFunctions && !kernel.hasFilenames && !kernel.hasLineNumbers && !kernel.hasInlineFrames)
}

@Test func `tables that grow many times over still find everything`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let handles = (0..<5000).map { builder.string("name \($0)") }
  for index in 0..<5000 { #expect(builder.string("name \(index)") == handles[index]) }
  #expect(builder.finish().strings.count == 5003)
}
