import Profile

/// Profiles the tests of this target share.
enum SampleProfiles {
  /// Two stacks of three frames: an inlined leaf, a kernel leaf, a root both share.
  static func small() -> Profile {
    var builder = ProfileBuilder()
    builder.addSampleType("cpu", unit: "nanoseconds")
    builder.setPeriod(10, of: "cpu", unit: "nanoseconds")
    builder.setTime(startNanoseconds: 1_700_000_000_000_000_000, durationNanoseconds: 5_000_000_000)
    let app = builder.mapping(
      ProfileMapping(
        start: 0x400000, limit: 0x500000, offset: 0x1000, file: builder.string("app"),
        buildID: builder.string("0123abcd")))
    let kernel = builder.mapping(
      ProfileMapping(
        start: 0xffff_ffff_8100_0000, limit: 0xffff_ffff_8200_0000, offset: 0, file: builder.string("[kernel.kallsyms]")))
    let file = builder.string("work.c")
    let main = builder.function(name: builder.string("main"), file: file, startLine: 20)
    let work = builder.function(name: builder.string("work"), systemName: builder.string("_Z4workv"), file: file)
    let step = builder.function(name: builder.string("step"), file: file)
    let read = builder.function(name: builder.string("vfs_read"))
    let root = builder.location(mapping: app, address: 0x400100, lines: [ProfileLine(function: main, line: 22)])
    let leaf = builder.location(
      mapping: app, address: 0x400200,
      lines: [ProfileLine(function: step, line: 3), ProfileLine(function: work, line: 9)])
    let system = builder.location(
      mapping: kernel, address: 0xffff_ffff_8100_0042, lines: [ProfileLine(function: read)], isKernel: true)
    let comm = builder.string("worker")
    builder.addSample(locations: [leaf, root], values: [30], threadName: comm)
    builder.addSample(locations: [system, root], values: [20], threadName: comm)
    builder.addSample(locations: [leaf, root], values: [10], threadName: comm)
    return builder.finish()
  }

  /// As many samples as asked for, each of its own stack, deep and with long names; the same for the same numbers.
  static func large(samples: Int, depth: Int, functions: Int = 5000, labels: Bool = false) -> Profile {
    var builder = ProfileBuilder(expectedStrings: functions, expectedSamples: samples)
    builder.addSampleType("cpu", unit: "nanoseconds")
    builder.setPeriod(10_101_010, of: "cpu", unit: "nanoseconds")
    builder.setTime(startNanoseconds: 1_700_000_000_000_000_000, durationNanoseconds: 60_000_000_000)
    let app = builder.mapping(
      ProfileMapping(start: 0x400000, limit: 0x4000000, offset: 0, file: builder.string("service")))
    var random: UInt64 = 42
    func next(_ limit: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % limit
    }
    var locations: [LocationHandle] = []
    for index in 0..<functions {
      let name = builder.string("service::module\(index % 97)::Class\(index % 991)::method_\(index)")
      let function = builder.function(name: name, file: builder.string("src/file\(index % 300).cc"))
      for place in 0..<4 {
        locations.append(
          builder.location(
            mapping: app, address: UInt64(0x400000 + index * 256 + place * 16),
            lines: [ProfileLine(function: function, line: UInt32(index % 5000 + place))]))
      }
    }
    let thread = builder.string("thread")
    var stack = (0..<depth).map { _ in locations[next(locations.count)] }
    for index in 0..<samples {
      for place in 0..<min(6, depth) { stack[place] = locations[next(locations.count)] }
      let text = labels ? [SampleLabel(key: thread, text: builder.string("worker-\(index % 64)"))] : []
      builder.addSample(locations: stack, values: [10_101_010 * Int64(1 + next(9))], labels: text)
    }
    return builder.finish()
  }
}
