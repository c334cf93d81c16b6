import Base
import Configuration
import Java
import Profile
import Targets
import TestSupport
import Testing
import TraceFormat
import Uploader

@testable import Agent

struct JavaPlanTests {
  private func plan(_ settings: String, agent: AgentLibrary? = nil) throws -> JavaPlan {
    let configuration = try Reading.configuration(
      """
      pyroscope.write "w" { endpoint { url = "http://h:4040" } }
      pyroscope.java "j" {
        targets    = [{"__process_pid__" = "7"}, {"__process_pid__" = "8"}, {"__container_id__" = "abc"}]
        forward_to = [pyroscope.write.w.receiver]
        \(settings)
      }
      """)
    let profiled = configuration.profiledTargets(of: configuration.evaluate { _, _ in [] })
    return JavaPlan(profiled, agent: agent)
  }

  private func request(_ settings: String) throws -> JavaRequest {
    let plan = try plan("profiling_config {\n\(settings)\n}")
    return try #require(plan.orders["pyroscope.java.j"], "\(plan.remarks)").request
  }

  @Test func `without a profiling_config everything has the default that its page gives`() throws {
    let plan = try plan("")
    let order = try #require(plan.orders["pyroscope.java.j"])
    var expected = JavaRequest()
    expected.event = "itimer"
    expected.cpuNanoseconds = 10_000_000
    expected.allocationBytes = 512 << 10
    expected.lockNanoseconds = 10_000_000
    expected.logLevel = "INFO"
    expected.folder = "/tmp"
    expected.rotationSeconds = 60
    #expect(order == JavaOrder(expected) && plan.remarks.isEmpty)
    #expect(plan.shortestInterval == 60_000_000_000)
  }

  @Test func `each argument does what it says`() throws {
    #expect(try request("interval = \"15s\"").rotationSeconds == 15)
    #expect(try request("cpu = false").cpuNanoseconds == nil)
    #expect(try request("sample_rate = 50").cpuNanoseconds == 20_000_000)
    #expect(try request("event = \"cpu\"").event == "cpu")
    let wall = try request("event = \"wall\"\nsample_rate = 20")
    #expect(wall.wallNanoseconds == 50_000_000 && wall.cpuNanoseconds == nil)
    #expect(try request("event = \"wall\"\ncpu = false").wallNanoseconds == nil)
    #expect(try request("alloc = \"1m\"").allocationBytes == 1 << 20)
    #expect(try request("alloc = \"\"").allocationBytes == nil)
    #expect(try request("tlab = true").usesTLABs)
    #expect(try request("lock = \"1ms\"").lockNanoseconds == 1_000_000)
    #expect(try request("lock = \"\"").lockNanoseconds == nil)
    #expect(try request("log_level = \"DEBUG\"").logLevel == "DEBUG")
    let custom = try request("custom_arguments = [\"-e\", \"ctimer\", \"-i\", \"20ms\", \"--cstack\", \"vm\"]\ninterval = \"30s\"")
    #expect(custom.event == "ctimer" && custom.cpuNanoseconds == 20_000_000 && custom.further == ["cstack=vm"])
    #expect(custom.allocationBytes == nil && custom.lockNanoseconds == nil && custom.rotationSeconds == 30)
    let quiet = try plan("tmp_dir = \"/work\"\nprofiling_config { quiet = true }").orders["pyroscope.java.j"]
    #expect(quiet?.isQuiet == true && quiet?.request.folder == "/work")
  }

  @Test func `a library is the component's own, else the agent's`() throws {
    let scratch = try ScratchDirectory()
    let bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46] + Array("async-profiler 4.5\0".utf8)
    _ = try Command.run(["mkdir", scratch.path + "/lib"])
    let own = try scratch.write(bytes, to: "lib/libasyncProfiler.so")
    let general = try AgentLibrary(path: try scratch.write(bytes, to: "other.so"))
    #expect(try plan("dist = \"\(scratch.path)\"", agent: general).orders["pyroscope.java.j"]?.agent?.path == own)
    #expect(try plan("", agent: general).orders["pyroscope.java.j"]?.agent == general)
    let missing = try plan("dist = \"/nowhere\"")
    #expect(missing.orders["pyroscope.java.j"]?.agent == nil)
    #expect(missing.remarks.contains { $0.contains("/nowhere/lib/libasyncProfiler.so") }, "\(missing.remarks)")
  }

  @Test(arguments: ["alloc = \"much\"", "lock = \"10 parsecs\"", "custom_arguments = [\"--loop\", \"1h\"]"])
  func `what async-profiler would refuse is said, and nothing is asked of JVMs`(_ settings: String) throws {
    let plan = try plan("profiling_config { \(settings) }")
    #expect(plan.orders.isEmpty && plan.remarks.count == 1 && plan.remarks[0].hasPrefix("pyroscope.java.j: "), "\(plan.remarks)")
  }

  @Test func `the targets that are processes are asked, by the first component that has them`() throws {
    let configuration = try Reading.configuration(
      """
      pyroscope.write "w" { endpoint { url = "http://h:4040" } }
      pyroscope.java "a" {
        targets    = [{"__process_pid__" = "7"}, {"__container_id__" = "abc"}, {"__process_pid__" = "x"}]
        forward_to = [pyroscope.write.w.receiver]
        profiling_config { interval = "10s" }
      }
      pyroscope.java "b" {
        targets    = [{"__process_pid__" = "7"}, {"__process_pid__" = "8"}]
        forward_to = [pyroscope.write.w.receiver]
      }
      """)
    let evaluation = configuration.evaluate { _, _ in [] }
    let profiled = configuration.profiledTargets(of: evaluation)
    let plan = JavaPlan(profiled)
    let orders = plan.orders(profiled)
    #expect(orders.mapValues(\.request.rotationSeconds) == [7: 10, 8: 60])
    let agent = try AgentPlan(configuration, evaluation, userAgent: "")
    #expect(agent.frequencyHertz == nil && agent.recordsAnything && agent.windowNanoseconds == 10_000_000_000)
  }

  @Test func `JVMs' chunks in a window become profiles under their targets' labels, beside the samples'`() throws {
    let configuration = try Reading.configuration(
      """
      pyroscope.write "w" { endpoint { url = "http://h:4040" } }
      pyroscope.write "x" { endpoint { url = "http://h:4040" } }
      pyroscope.ebpf "e" {
        targets      = []
        targets_only = false
        forward_to   = [pyroscope.write.w.receiver]
      }
      pyroscope.java "j" {
        targets    = [{"__process_pid__" = "100", "service_name" = "shop", "__meta_x" = "y", "team" = "a"}]
        forward_to = [pyroscope.write.x.receiver]
        profiling_config { per_thread = true }
      }
      """)
    var builder = JFRBuilder()
    // Which interval it was, the chunk before this one said.
    for _ in 0..<4 { builder.execution(stack: builder.stack([("a/B", "leaf", 7, 1)]), state: 1) }
    builder.enter(stack: builder.stack([("a/B", "wait", 3, 1)]), durationTicks: 20_000_000)
    var trace = TraceBuilder()
    let program = trace.process(100)
    let other = trace.process(200)
    trace.add(.sessionFact(SessionFactRecord(name: "java_chunk.0.settings", value: "event=itimer,interval=3000000")))
    for (number, handle) in [program, other].enumerated() {
      trace.add(
        .javaChunk(
          JavaChunkRecord(process: handle, engine: .asyncProfiler, chunk: UInt32(number), offset: 0, bytes: builder.chunk())))
    }
    trace.add(.javaChunk(JavaChunkRecord(process: program, engine: .flightRecorder, chunk: 2, offset: 0, bytes: [1, 2, 3])))
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/window.seg"
    try trace.write(to: path)
    let stages = WindowStages(configuration: configuration, discovered: [:], userName: { _ in nil }, symbolize: { _ in nil })
    let outcome = try stages.run(path)
    #expect(outcome.batch.items.map(\.upload.metric) == ["process_cpu", "mutex"])
    #expect(outcome.batch.items.allSatisfy { $0.receivers == ["pyroscope.write.x"] })
    let labels = try #require(outcome.batch.items.first).upload.labels.map { "\($0.name)=\($0.value)" }
    #expect(labels == ["jfr_event=itimer", "pyroscope_spy=alloy.java", "service_name=shop", "team=a"])
    let profile = try PprofDecoder.decode(outcome.batch.items[0].upload.profile.bytes)
    #expect(profile.values(ofSample: 0) == [12_000_000])
    #expect(PprofText.text(profile).contains("[main-1]"))
    #expect(outcome.javaProblems.count == 1, "what is garbage is said, and costs itself")
  }
}
