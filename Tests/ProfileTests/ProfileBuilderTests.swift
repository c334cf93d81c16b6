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

@Test func `a new string gets a place of its own and is not found again`() {
  var builder = ProfileBuilder()
  let text = Array("only once".utf8)
  let first = builder.newString(utf8: text.span)
  let found = builder.string("only once")
  #expect(first != found)
  #expect(builder.string("only once") == found)
  let profile = builder.finish()
  #expect(profile.strings[first] == "only once")
  #expect(profile.strings[found] == "only once")
}

@Test func `equal stacks are one sample, however they were put together`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let places = (0..<3).map { number in
    let function = builder.function(name: builder.string("f\(number)"))
    return builder.location(mapping: nil, address: UInt64(number), lines: [ProfileLine(function: function)])
  }
  builder.addSample(locations: places, values: [1])
  // Another stack in between, so that nothing of the first one is at hand.
  builder.addSample(locations: [places[0]], values: [1])
  builder.addSample(locations: places, values: [2])
  let root = builder.stack(places[2], calledFrom: .empty)
  let middle = builder.stack(places[1], calledFrom: root)
  builder.addSample(
    stack: builder.stack(places[0], calledFrom: middle), value: 4, labels: .none, threadName: .empty)
  builder.addSample(stack: middle, value: 8, labels: .none, threadName: .empty)
  let profile = builder.finish()
  #expect((0..<profile.samples.count).map { Array(profile.samples.locations($0)) } == [places, [places[0]], [places[1], places[2]]])
  #expect((0..<profile.samples.count).map { Array(profile.values(ofSample: $0)) } == [[7], [1], [8]])
}

@Test func `equal lists of labels are kept once`() {
  var builder = ProfileBuilder()
  builder.addSampleType("cpu", unit: "nanoseconds")
  let function = builder.function(name: builder.string("f"))
  let stack = (0..<3).map { builder.location(mapping: nil, address: $0, lines: [ProfileLine(function: function)]) }
  let one = [SampleLabel(key: builder.string("pid"), number: 1)]
  let other = [SampleLabel(key: builder.string("pid"), number: 2)]
  builder.addSample(locations: [stack[0]], values: [1], labels: one)
  builder.addSample(locations: [stack[1]], values: [1], labels: other)
  builder.addSample(locations: [stack[2]], values: [1], labels: one)
  builder.addSample(locations: [stack[0]], values: [1])
  let profile = builder.finish()
  #expect((0..<profile.samples.count).map { Array(profile.samples.labels($0)) } == [one, other, one, []])
}
