import JFR
@testable import JavaProfiles
import Profile
import TestSupport
import Testing

/// What async-profiler's events become, on chunks made by hand.
struct JavaProfileTests {
  private func profiles(_ bytes: [UInt8], _ options: JavaOptions = JavaOptions()) throws -> [String: JavaProfile] {
    var recording = JavaRecording(options)
    try recording.read(bytes.span.bytes)
    return Dictionary(uniqueKeysWithValues: recording.profiles().map { ($0.metric.name, $0) })
  }

  private func collapsed(_ profile: JavaProfile?, lines: Bool = false) -> String {
    guard let profile else { return "none" }
    return String(decoding: CollapsedFormat.encode(profile.profile, FormatOptions(annotate: true, lines: lines)), as: UTF8.self)
  }

  private func values(_ profile: JavaProfile?) -> [Int64] {
    guard let profile = profile?.profile else { return [] }
    return (0..<profile.samples.count).flatMap { profile.values(ofSample: $0) }
  }

  @Test(arguments: [true, false])
  func `a sample counts the interval that the file names, with either encoding of integers`(compressed: Bool) throws {
    var builder = JFRBuilder(compressed: compressed)
    builder.setting(JFRBuilder.TypeID.execution, "interval", "3000000")
    let stack = builder.stack([("a/B", "leaf", 7, 1), ("a/B", "main", 3, 1)])
    for _ in 0..<4 { builder.execution(stack: stack, state: 1) }
    builder.execution(stack: stack, state: 3)
    builder.unknown()
    let cpu = try #require(try profiles(builder.chunk())["cpu"])
    #expect(values(cpu) == [12_000_000])
    #expect(cpu.profile.period == 3_000_000)
    #expect(cpu.seriesName == "process_cpu")
    #expect(collapsed(cpu) == "[unknown];a/B.main;a/B.leaf 4\n")
  }

  @Test func `settings of the first chunk hold for the next`() throws {
    var first = JFRBuilder()
    first.setting(JFRBuilder.TypeID.execution, "interval", "5000000")
    first.execution(stack: first.stack([("A", "a", 1, 1)]), state: 1)
    var second = JFRBuilder()
    second.startNanoseconds += 1_000_000_000
    second.execution(stack: second.stack([("A", "a", 1, 1)]), state: 1)
    let all = try profiles(first.chunk() + second.chunk())
    #expect(values(all["cpu"]) == [10_000_000])
    #expect(all["cpu"]?.profile.durationNanoseconds == 2_000_000_000)
  }

  @Test func `settings that were told beside the chunks hold until others are told`() throws {
    var recording = JavaRecording(JavaOptions())
    for options in ["event=itimer,interval=2000000", "event=ctimer,interval=7000000"] {
      var builder = JFRBuilder()
      builder.execution(stack: builder.stack([("A", "a", 1, 1)]), state: 1)
      recording.assume(options)
      try recording.read(builder.chunk().span.bytes)
    }
    var wall = JFRBuilder()
    wall.execution(stack: wall.stack([("A", "a", 1, 1)]), state: 3)
    recording.assume("event=wall,interval=20000000")
    try recording.read(wall.chunk().span.bytes)
    let all = Dictionary(uniqueKeysWithValues: recording.profiles().map { ($0.metric.name, $0) })
    #expect(values(all["cpu"]) == [9_000_000])
    #expect(values(all["wall"]) == [20_000_000])
  }

  @Test func `a thread is the root of its stacks on request`() throws {
    var builder = JFRBuilder()
    builder.execution(stack: builder.stack([("A", "leaf", 1, 1), ("A", "root", 1, 1)]), state: 1)
    var options = JavaOptions()
    options.framesThreads = true
    #expect(collapsed(try profiles(builder.chunk(), options)["cpu"]) == "[unknown];[main-1];A.root;A.leaf 1\n")
  }

  @Test func `wall-clock samples count their own interval, beside CPU samples in the same file`() throws {
    var builder = JFRBuilder()
    builder.setting(JFRBuilder.TypeID.execution, "interval", "10000000")
    builder.setting(JFRBuilder.TypeID.execution, "wall", "20000000")
    let stack = builder.stack([("A", "a", 1, 1)])
    builder.execution(stack: stack, state: 1)
    builder.wall(stack: stack, state: 3, samples: 5)
    builder.execution(stack: stack, state: 2)
    let all = try profiles(builder.chunk())
    #expect(values(all["cpu"]) == [10_000_000])
    #expect(values(all["wall"]) == [120_000_000])
    #expect(all["wall"]?.profile.period == 20_000_000)
  }

  @Test func `delays are nanoseconds where the clock ticks otherwise`() throws {
    var builder = JFRBuilder()
    builder.ticksPerSecond = 2_000_000_000
    builder.enter(stack: builder.stack([("A", "a", 1, 1)]), durationTicks: 3_000_000)
    let mutex = try profiles(builder.chunk())["mutex"]
    #expect(values(mutex) == [1, 1_500_000])
    #expect(mutex?.seriesName == "mutex")
  }

  @Test func `what is freed is not held, in whatever order the file has the events`() throws {
    var builder = JFRBuilder()
    let stack = builder.stack([("libc.so.6", "malloc", 0, 1)])
    builder.free(address: 16, ticks: 3000)
    builder.malloc(stack: stack, address: 16, size: 100, ticks: 2000)
    builder.malloc(stack: stack, address: 32, size: 7, ticks: 2500)
    let all = try profiles(builder.chunk())
    #expect(values(all["malloc"]) == [2, 107])
    #expect(values(all["malloc_live"]) == [1, 7])
  }

  @Test func `a truncated stack says so at its root, and a missing one is still counted`() throws {
    var builder = JFRBuilder()
    builder.execution(stack: builder.stack([("A", "a", 1, 1), ("kernel", "read", 0, 5)], truncated: true), state: 1)
    builder.execution(stack: 0, state: 1)
    let all = try profiles(builder.chunk())
    #expect(collapsed(all["cpu"]) == "[unknown];[no stack] 1\n[unknown];[truncated];kernel.read_[k];A.a 1\n")
  }

  @Test func `an event that began in the chunk before finds its stack there, if it is the same JVM's`() throws {
    func waits(gap: UInt64) throws -> String {
      var first = JFRBuilder(jdk: true)
      first.enter(stack: first.stack([("A", "one", 1, 1)]), durationTicks: 1)
      _ = first.stack([("A", "two", 1, 1)])
      var second = JFRBuilder(jdk: true)
      second.startNanoseconds += 1_000_000_000 + gap
      second.enter(stack: second.stack([("A", "three", 1, 1)]), durationTicks: 1)
      for _ in 0..<2 { second.enter(stack: 2, durationTicks: 1) }
      second.enter(stack: 3, durationTicks: 1)
      return collapsed(try profiles(first.chunk() + second.chunk())["mutex"])
    }
    #expect(try waits(gap: 0) == "[unknown];A.one 1\n[unknown];A.three 1\n[unknown];A.two 2\n[unknown];[no stack] 1\n")
    #expect(try waits(gap: 1_000_000_000) == "[unknown];A.one 1\n[unknown];A.three 1\n[unknown];[no stack] 3\n")
  }

  @Test func `thread and state are labels on request`() throws {
    var builder = JFRBuilder()
    builder.execution(stack: builder.stack([("A", "a", 1, 1)]), state: 1)
    var options = JavaOptions()
    options.threads = .pool
    options.states = true
    let profile = try #require(try profiles(builder.chunk(), options)["cpu"]).profile
    let labels = profile.samples.labels(0).map { "\(profile.strings[$0.key])=\(profile.strings[$0.text])" }
    #expect(labels == ["thread=main-*", "thread_state=STATE_DEFAULT"])
  }

  @Test func `a damaged chunk costs itself, and the reason is told`() throws {
    var first = JFRBuilder()
    first.execution(stack: first.stack([("A", "a", 1, 1)]), state: 1)
    var second = JFRBuilder()
    second.startNanoseconds += 1
    second.execution(stack: second.stack([("B", "b", 1, 1)]), state: 1)
    var broken = first.chunk()
    for offset in 68..<90 { broken[offset] = 0 }
    var recording = JavaRecording(JavaOptions())
    let bytes = broken + second.chunk()
    try recording.read(bytes.span.bytes)
    #expect(recording.summary.problems.map(\.offset) == [0])
    #expect(recording.summary.chunks == 1)
    let cpu = recording.profiles().first
    #expect(collapsed(cpu) == "[unknown];B.b 1\n")
  }

  @Test func `an agent's chunk without its end has no names, and says that it is unfinished`() throws {
    var builder = JFRBuilder()
    builder.execution(stack: builder.stack([("A", "a", 1, 1)]), state: 1)
    var bytes = builder.chunk()
    for offset in 8..<24 { bytes[offset] = 0 }
    bytes[11] = 0x40  // 1 GiB, as async-profiler writes while it records
    bytes.removeLast(40)
    var recording = JavaRecording(JavaOptions())
    try recording.read(bytes.span.bytes)
    #expect(recording.summary.problems.contains { "\($0.problem)".contains("unfinished") })
    #expect(recording.summary.missingStacks == 1)
  }

  @Test func `formats before version 2 are refused by name`() throws {
    var bytes = Array("FLR\0".utf8) + [0, 0, 0, 9] + [UInt8](repeating: 0, count: 64)
    var recording = JavaRecording(JavaOptions())
    let old = #expect(throws: ChunkProblem.self) { try recording.read(bytes.span.bytes) }
    #expect(old == .unsupportedVersion(major: 0, minor: 9))
    bytes[5] = 3
    let new = #expect(throws: ChunkProblem.self) { try recording.read(bytes.span.bytes) }
    #expect("\(new.map { "\($0)" } ?? "")".contains("newer"))
  }

  @Test(arguments: [
    ("java.lang.invoke.LambdaForm$MH+0x00007f8a1c0/1531060341", "java/lang/invoke/LambdaForm$MH_"),
    ("java/lang/invoke/LambdaForm$DMH/0x00007f8a1c0", "java/lang/invoke/LambdaForm$DMH_"),
    ("Names$$Lambda/0x00007f8a1c0", "Names$$Lambda_"), ("Names$$Lambda$8+0x00007f8a1c0/662268633", "Names$$Lambda_"),
    ("Names$$Lambda$8.0x00007f8a1c0", "Names$$Lambda_"), ("a/X$$Lambda$8/1234", "a/X$$Lambda_"),
    ("jdk/internal/reflect/GeneratedMethodAccessor31", "jdk/internal/reflect/GeneratedMethodAccessor_"),
    ("jdk/proxy2/$Proxy12", "jdk/proxy2/$Proxy_"), ("a/B$$EnhancerBySpringCGLIB$$1f2e", "a/B$$EnhancerBySpringCGLIB$$_"),
    ("libzstd-jni-1.5.1-16931311898282279136.so", "libzstd-jni-_.so"), ("libc.so.6", "libc.so.6"),
    ("java/lang/Thread", "java/lang/Thread"), ("a/Outer$Inner2", "a/Outer$Inner2"),
  ])
  func `names made at run time lose what changes`(name: String, folded: String) {
    #expect(String(decoding: GeneratedNames.folded(Array(name.utf8)), as: UTF8.self) == folded)
  }
}
