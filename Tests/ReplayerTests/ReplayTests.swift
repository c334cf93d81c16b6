import Base
import Profile
import Replayer
import Symbolize
import Targets
import TestSupport
import Testing
import TraceFormat

/// Traces made by hand, and the stacks that come out, innermost frame last.
struct ReplayTests {
  private func replay(_ builder: TraceBuilder, _ configuration: ReplayConfiguration = ReplayConfiguration()) -> Replay {
    var builder = builder
    builder.flush()
    var contents = TraceContents()
    for record in builder.records { contents.add(record) }
    return Replay(header: builder.header, contents: contents, configuration, symbolizingWith: SymbolizeStage.none)
  }

  private func collapsed(_ builder: TraceBuilder, _ change: (inout ReplayConfiguration) -> Void = { _ in }) -> [String] {
    var configuration = ReplayConfiguration()
    configuration.groupsByThreadName = true
    change(&configuration)
    let text = String(decoding: CollapsedFormat.encode(replay(builder, configuration).profile(), FormatOptions()), as: UTF8.self)
    return text.split(separator: "\n").map(String.init)
  }

  @Test func `a frame without a symbol is named by its image and address there`() {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("/usr/lib/libfoo.so.1"), into: space, at: 0x7f00_0000_0000)
    let thread = builder.thread(of: process)
    // A caller's address is where the call returns to: one byte earlier is inside the call. The innermost is taken as it is.
    builder.sample(thread, builder.stack(in: space, [0x7f00_0000_0100, 0x7f00_0000_0200]), count: 3)
    #expect(collapsed(builder) == ["app;libfoo.so.1+0x4010ff;libfoo.so.1+0x401200 3"])
  }

  @Test func `an address in no mapping, in anonymous memory and in the kernel has a name too`() {
    var builder = TraceBuilder()
    builder.add(
      .kernelModules(
        KernelModulesRecord(modules: [
          .init(name: "vmlinux", address: 0xffff_ffff_8100_0000, byteCount: 0x100_0000, buildID: ""),
          .init(name: "ext4", address: 0xffff_ffff_c000_0000, byteCount: 0x10000, buildID: ""),
        ])))
    let process = builder.process(executable: "/usr/bin/java")
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("", kind: .anonymous), into: space, at: 0x7f00_0000_0000, offset: 0)
    let thread = builder.thread(of: process)
    builder.sample(
      thread, builder.stack(in: space, [0x1235, 0x7f00_0000_0500]),
      kernel: builder.kernelStack([0xffff_ffff_8100_0011, 0xffff_ffff_c000_0020]))
    // The innermost user frame is where the kernel was entered from, an instruction like the kernel's own innermost.
    #expect(collapsed(builder) == ["app;[unknown]+0x1234;[jit:java]+0x7f0000000500;vmlinux+0x10;[ext4]+0x20 1"])
  }

  @Test func `a program that the newest labels leave out is in no profile`() {
    var builder = TraceBuilder()
    let kept = builder.process(100)
    let left = builder.process(200, executable: "/usr/bin/other")
    for process in [kept, left] {
      let space = builder.addressSpace(of: process)
      builder.map(builder.image("/usr/bin/app"), into: space, at: 0x400000)
      builder.sample(builder.thread(of: process), builder.stack(in: space, [0x400100]), count: 2)
    }
    func label(_ process: ProcessHandle, _ name: String, _ value: String, layer: UInt32) {
      builder.add(
        .targetLabels(TargetLabelsRecord(layer: layer, process: process, labels: [TargetLabelsRecord.Label(name: name, value: value)])))
    }
    label(kept, "env", "prod", layer: 1)
    label(left, TargetLabelsRecord.leftOut, "no target claims it", layer: 1)
    builder.add(.layerEnd(LayerEndRecord(layer: 1, kind: .labels, recordCount: 2)))
    let series = replay(builder).profilesBySeries()
    #expect(series.map(\.labels) == [LabelSet(["service_name": "app", "env": "prod"])])
    #expect(series.first?.profile.total(ofType: 0) == 20_000_000)
    #expect(replay(builder).profile().total(ofType: 0) == 20_000_000)
    // A newer layer takes it back.
    label(left, "env", "test", layer: 2)
    builder.add(.layerEnd(LayerEndRecord(layer: 2, kind: .labels, recordCount: 1)))
    #expect(Set(replay(builder).profilesBySeries().map { $0.labels["service_name"] }) == ["app", "other"])
  }

  @Test func `profiles by labels of a configuration hold the programs that it names`() {
    var builder = TraceBuilder()
    let first = builder.process(100)
    let second = builder.process(200)
    for process in [first, second] {
      let space = builder.addressSpace(of: process)
      builder.map(builder.image("/usr/bin/app"), into: space, at: 0x400000)
      builder.sample(builder.thread(of: process), builder.stack(in: space, [0x400100]))
    }
    let made = replay(builder).profiles(labels: [second.rawValue: LabelSet(["service_name": "shop"])])
    #expect(made.map(\.labels) == [LabelSet(["service_name": "shop"])])
    #expect(made.first?.profile.total(ofType: 0) == 10_000_000)
  }

  @Test func `samples say which thread and process they are of, and leave the kernel out, where that is asked for`() throws {
    var builder = TraceBuilder()
    let process = builder.process(100)
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("/usr/bin/app"), into: space, at: 0x400000)
    let stack = builder.stack(in: space, [0x400100])
    for name in ["worker", "main"] {
      let thread = builder.thread(of: process, name)
      builder.sample(thread, stack, kernel: builder.kernelStack([0xffff_ffff_8100_0011]), count: 2)
      builder.sample(thread, .empty, kernel: builder.kernelStack([0xffff_ffff_8100_0011]))
    }
    func text(_ marks: SampleMarks) throws -> [String] {
      let made = replay(builder).profiles(labels: [process.rawValue: LabelSet(["service_name": "shop"])], marks: marks)
      let profile = try #require(made.first?.profile)
      #expect(profile.total(ofType: 0) == 60_000_000)
      return String(decoding: CollapsedFormat.encode(profile, FormatOptions()), as: UTF8.self).split(separator: "\n").map(String.init)
    }
    var marks = SampleMarks()
    marks.showsKernelFrames = false
    #expect(try text(marks).sorted() == ["[unknown];[kernel] 2", "[unknown];app+0x401100 4"])
    marks.framesComm = true
    #expect(
      try text(marks).sorted() == [
        "[unknown];main 1", "[unknown];main;app+0x401100 2", "[unknown];worker 1", "[unknown];worker;app+0x401100 2",
      ])
    marks = SampleMarks()
    marks.labelsComm = true
    marks.labelsProcess = true
    let made = replay(builder).profiles(labels: [process.rawValue: LabelSet(["service_name": "shop"])], marks: marks)
    let profile = try #require(made.first?.profile)
    let labels = (0..<profile.samples.count).map { index in
      profile.samples.labels(index).map { "\(profile.strings[$0.key])=\(profile.strings[$0.text])" }.joined(separator: ",")
    }
    #expect(Set(labels) == ["comm=main,pid=100", "comm=worker,pid=100"] && labels.count == 4)
  }

  @Test func `a mapping that takes the place of another holds for the new space only`() {
    var builder = TraceBuilder()
    let process = builder.process()
    let first = builder.addressSpace(of: process)
    builder.map(builder.image("/lib/old.so"), into: first, at: 0x1000_0000)
    let thread = builder.thread(of: process)
    builder.sample(thread, builder.stack(in: first, [0x1000_0010]))
    let second = builder.addressSpace(of: process, inheriting: first)
    // Only the middle of the old one is covered; its ends stay what they were.
    builder.map(builder.image("/lib/new.so"), into: second, at: 0x1000_2000, byteCount: 0x1000)
    for address: UInt64 in [0x1000_0010, 0x1000_2010, 0x1000_3010] {
      builder.sample(thread, builder.stack(in: second, [address]))
    }
    builder.sample(thread, builder.stack(in: first, [0x1000_2010]))
    #expect(
      collapsed(builder) == [
        "app;new.so+0x401010 1", "app;old.so+0x401010 2", "app;old.so+0x403010 1", "app;old.so+0x404010 1",
      ])
  }

  @Test func `a space inherits what its parent had when it began, not what came after`() {
    var builder = TraceBuilder()
    let parent = builder.process()
    let space = builder.addressSpace(of: parent)
    builder.map(builder.image("/bin/a"), into: space, at: 0x1000_0000)
    let child = builder.process(101)
    let forked = builder.addressSpace(of: child, inheriting: space)
    builder.map(builder.image("/lib/late.so"), into: space, at: 0x2000_0000)
    let thread = builder.thread(of: child, "child")
    builder.sample(thread, builder.stack(in: forked, [0x1000_0001, 0x2000_0000]))
    #expect(collapsed(builder) == ["child;a+0x401000;[unknown]+0x20000000 1"])
  }

  @Test func `a reused pid is two programs`() {
    var builder = TraceBuilder()
    for (start, name) in [(1, "first"), (2, "second")] as [(UInt64, String)] {
      let process = builder.process(100, start: start, executable: "/bin/\(name)", comm: name)
      let space = builder.addressSpace(of: process)
      builder.map(builder.image("/bin/\(name)"), into: space, at: 0x1000_0000)
      builder.sample(builder.thread(of: process, name), builder.stack(in: space, [0x1000_0000]))
    }
    let replay = replay(builder)
    #expect(replay.profilesBySeries().map { $0.labels["service_name"] } == ["first", "second"])
    #expect(collapsed(builder) == ["first;first+0x401000 1", "second;second+0x401000 1"])
  }

  @Test func `samples of threads and CPUs are merged, and weights count`() {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("/bin/app"), into: space, at: 0x1000_0000)
    let stack = builder.stack(in: space, [0x1000_0000])
    for cpu: UInt32 in 0..<3 { builder.sample(builder.thread(of: process), stack, weight: 5, cpu: cpu) }
    let profile = replay(builder).profile()
    #expect(profile.samples.count == 1)
    #expect(Array(profile.values(ofSample: 0)) == [150_000_000])
    #expect(profile.period == 10_000_000)
    #expect(collapsed(builder) == ["app;app+0x401000 15"])
  }

  @Test func `inlined functions are frames, outermost first`() {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    let image = builder.image("/bin/app")
    builder.map(image, into: space, at: 0x1000_0000)
    builder.sample(builder.thread(of: process), builder.stack(in: space, [0x1000_0011, 0x1000_0020]))
    builder.symbols(layer: 1, [(image, 0x401010, ["main"]), (image, 0x401020, ["inner", "outer"])])
    #expect(collapsed(builder) == ["app;main;outer;inner 1"])
  }

  @Test func `the newest finished layer of names wins, an unfinished one does not count`() {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    let image = builder.image("/bin/app")
    builder.map(image, into: space, at: 0x1000_0000)
    builder.sample(builder.thread(of: process), builder.stack(in: space, [0x1000_0000]))
    builder.symbols(layer: 1, [(image, 0x401000, ["old"])])
    #expect(collapsed(builder) == ["app;old 1"])
    builder.symbols(layer: 2, [(image, 0x401000, ["new"])])
    #expect(collapsed(builder) == ["app;new 1"])
    builder.add(.symbolStrings(SymbolStringsRecord(layer: 3, first: 1, strings: ["newer"])))
    #expect(collapsed(builder) == ["app;new 1"])
    builder.add(.layerEnd(LayerEndRecord(layer: 3, kind: .symbols, recordCount: 2)))
    #expect(collapsed(builder) == ["app;new 1"], "one of two records is lost")
  }

  @Test func `labels are for one program or for all, and the program's own win`() {
    var builder = TraceBuilder()
    var threads: [ThreadHandle] = []
    for name in ["one", "two"] { threads.append(builder.thread(of: builder.process(executable: "/bin/\(name)"), name)) }
    for thread in threads { builder.sample(thread, kernel: builder.kernelStack([0xffff_ffff_8100_0000])) }
    builder.add(.targetLabels(TargetLabelsRecord(layer: 1, process: nil, labels: [.init(name: "env", value: "test")])))
    builder.add(
      .targetLabels(TargetLabelsRecord(layer: 1, process: ProcessHandle(2), labels: [.init(name: "env", value: "own")])))
    builder.add(.layerEnd(LayerEndRecord(layer: 1, kind: .labels, recordCount: 2)))
    let series = replay(builder).profilesBySeries().map { "\($0.labels)" }
    #expect(series == [#"{env="own", service_name="two"}"#, #"{env="test", service_name="one"}"#])
  }

  @Test func `kernel threads are one service`() {
    var builder = TraceBuilder()
    for name in ["kworker/0:1", "ksoftirqd/0"] {
      let process = builder.process(executable: "", comm: name, isKernelThread: true)
      builder.sample(builder.thread(of: process, name), kernel: builder.kernelStack([0xffff_ffff_8100_0000]))
    }
    #expect(replay(builder).profilesBySeries().map { $0.labels["service_name"] } == ["kernel"])
  }

  @Test func `what is lost is said, and the rest comes out`() throws {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("/bin/app"), into: space, at: 0x1000_0000)
    let thread = builder.thread(of: process)
    builder.sample(thread, builder.stack(in: space, [0x1000_0001, 0x1000_0010]), count: 2)
    builder.flush()
    builder.sample(thread, builder.stack(in: space, [0x1000_0001, 0x1000_0010, 0x1000_0020]))
    builder.flush()
    let all = builder.records
    let directory = TemporaryDirectory()
    // Each record is left out in turn; whatever it is, nothing traps and the samples that are there are counted.
    for missing in all.indices {
      let path = directory.file("missing.seg")
      let writer = try SegmentWriter(path: path, header: builder.header)
      for (index, record) in all.enumerated() where index != missing { try writer.append(record) }
      try writer.close()
      let trace = try LoadedTrace(path: path, workers: 2)
      let replay = Replay(
        header: trace.reader.header, contents: trace.contents, ReplayConfiguration(), symbolizingWith: SymbolizeStage.none)
      let report = replay.report()
      let profile = replay.profile()
      let values = (0..<profile.samples.count).reduce(0) { $0 + profile.values(ofSample: $1).reduce(0, +) }
      let expected: UInt64 = all[missing].kind == .samples ? (missing == all.count - 1 ? 2 : 1) : 3
      #expect(report.samples == expected, "without \(all[missing].kind.name)")
      if all[missing].kind != .event { #expect(values == Int64(expected) * 10_000_000, "without \(all[missing].kind.name)") }
      if all[missing].kind == .stacks { #expect(report.missingStacks > 0) }
    }
  }

  @Test func `a damaged trace converts without the damaged part, the same with any number of workers`() throws {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    builder.map(builder.image("/bin/app"), into: space, at: 0x1000_0000)
    let thread = builder.thread(of: process)
    for round: UInt64 in 0..<40 {
      builder.sample(thread, builder.stack(in: space, [0x1000_0001, 0x1000_0010 + round]), count: 5)
      builder.flush()
    }
    let directory = TemporaryDirectory()
    let path = directory.file("trace.seg")
    try builder.write(to: path)
    let whole = try bytes(of: path)
    for place in stride(from: 200, to: whole.count - 100, by: whole.count / 150 + 1) {
      var damaged = whole
      for index in place..<(place + 3) { damaged[index] ^= 0xa5 }
      try write(damaged, to: path)
      var outputs: [[UInt8]] = []
      for workers in [1, 8] {
        guard let trace = try? LoadedTrace(path: path, workers: workers) else { continue }
        #expect(!trace.isComplete || trace.contents.sampleCount == 200, "at \(place)")
        let replay = Replay(
          header: trace.reader.header, contents: trace.contents, ReplayConfiguration(), symbolizingWith: SymbolizeStage.none)
        outputs.append(PprofFormat.encode(replay.profile(), FormatOptions()))
      }
      #expect(outputs.count == 2 && outputs[0] == outputs[1], "at \(place)")
    }
  }

  @Test func `damage in a copy is seen when copies are looked at`() throws {
    var builder = TraceBuilder()
    let image = builder.image("/bin/app")
    builder.add(
      .imageChunk(ImageChunkRecord(image: image, fileOffset: FileOffset(0), bytes: (0..<4096).map { UInt8($0 * 7 % 251) })))
    builder.add(.imageEnd(ImageEndRecord(image: image, outcome: .full, copiedByteCount: 4096)))
    let path = TemporaryDirectory()
    let file = path.file("trace.seg")
    try builder.write(to: file)
    var trace = try LoadedTrace(path: file, workers: 1)
    try trace.checkCopies(workers: 2)
    #expect(trace.isComplete)
    let frame = try #require(trace.reader.frames.first { $0.kinds.contains(.imageChunk) })
    var damaged = try bytes(of: file)
    damaged[Int(frame.offset) + 44 + Int(frame.byteCount) / 2] ^= 1
    try write(damaged, to: file)
    trace = try LoadedTrace(path: file, workers: 1)
    try trace.checkCopies(workers: 2)
    #expect(!trace.isComplete && trace.damage.count == 1)
    #expect(trace.damage.first?.offset == frame.offset)
  }

  @Test func `every kernel symbol names its addresses`() {
    var builder = TraceBuilder()
    builder.add(
      .kernelSymbols(
        KernelSymbolsRecord(symbols: [.init(address: 0xffff_ffff_8100_0000, byteCount: 0x100, name: "do_work", module: "")])))
    let thread = builder.thread(of: builder.process())
    builder.sample(thread, kernel: builder.kernelStack([0xffff_ffff_8100_0010]))
    builder.flush()
    var contents = TraceContents()
    for record in builder.records { contents.add(record) }
    let stage = SymbolizeStage(symbolizer: Symbolizer(locator: ImageLocator(access: NoFiles()) { _ in nil }), workers: 1)
    let replay = Replay(header: builder.header, contents: contents, ReplayConfiguration(), symbolizingWith: stage)
    #expect(replay.report().functions.map(\.name) == ["do_work"])
  }

  private struct NoFiles: DebugFileAccess {
    func status(of path: String) -> DebugFileStatus? { nil }
    func open(_ path: String) throws(SystemCallError) -> ImageBytes {
      throw SystemCallError(call: "open", path: path, code: 2)
    }
  }
}
