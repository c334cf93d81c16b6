import Java
import Testing

@Suite struct `async-profiler's options` {
  @Test func `become what is asked of a JVM, whoever records it`() throws {
    let request = try AsprofArguments.request(["-e", "cpu", "-i", "5ms", "--alloc", "1m", "--lock", "1ms", "--live", "-t"])
    #expect(request.event == "cpu" && request.cpuNanoseconds == 5_000_000)
    #expect(request.allocationBytes == 1 << 20 && request.lockNanoseconds == 1_000_000 && request.live)
    #expect(request.wallNanoseconds == nil && request.further.isEmpty)
  }

  @Test func `of one event ask for nothing else`() throws {
    let wall = try AsprofArguments.request(["-e", "wall", "-i", "20ms"])
    #expect(wall.wallNanoseconds == 20_000_000 && wall.cpuNanoseconds == nil && wall.allocationBytes == nil && wall.lockNanoseconds == nil)
    let alloc = try AsprofArguments.request(["--event", "alloc"])
    #expect(alloc.allocationBytes == 512 << 10 && alloc.cpuNanoseconds == nil)
  }

  @Test func `that ask for nothing ask for CPU time`() throws {
    let request = try AsprofArguments.request(["-j", "100", "--cstack", "vm"])
    #expect(request.further == ["jstackdepth=100", "cstack=vm"])
    #expect(try AsprofArguments.request(["-L", "debug"]).cpuNanoseconds == 10_000_000)
  }

  @Test(arguments: [
    ["-f", "/etc/passwd"], ["--loop", "1h"], ["-d", "10"], ["stop"], ["4711"], ["-e"], ["-i", "10 parsecs"], ["--alloc", "k"],
    ["-e", "cpu,file=/etc/passwd"], ["-I", "a,b"], ["-e", "cpu", "-e", "cache-misses"], ["--alloc", "99999999999999g"],
  ])
  func `that are not for a recording, or no options at all, are refused`(_ arguments: [String]) {
    #expect(throws: AsprofArguments.Problem.self) { try AsprofArguments.request(arguments) }
  }

  @Test(arguments: [("512k", 524_288), ("1M", 1 << 20), ("1000", 1000), ("0", 0), ("2g", 2 << 30)])
  func `give sizes`(_ text: String, _ bytes: Int64) throws {
    #expect(try AsprofArguments.bytes(text, of: "alloc") == bytes)
  }

  @Test(arguments: [("10ms", 10_000_000), ("1s", 1_000_000_000), ("500us", 500_000), ("10000000", 10_000_000), ("7n", 7)])
  func `give times`(_ text: String, _ nanoseconds: Int64) throws {
    #expect(try AsprofArguments.nanoseconds(text, of: "lock") == nanoseconds)
  }
}

@Suite struct `what the JVM's own recorder cannot do` {
  private func choose(_ feature: Int, _ arguments: [String]) throws -> EngineChoice {
    EngineChoice(feature: feature, hasFlightRecorder: true, agent: nil, allowsAgents: true, try AsprofArguments.request(arguments))
  }

  @Test func `is left out and said, and the rest recorded`() throws {
    let choice = try choose(17, ["-e", "wall", "--alloc", "512k"])
    #expect(choice.engine == .flightRecorder)
    #expect(choice.leftOut?.contains("wall-clock time") == true)
    let request = try AsprofArguments.request(["-e", "wall", "--alloc", "512k"]).forFlightRecorder
    #expect(request.wallNanoseconds == nil && request.cpuNanoseconds == nil && request.allocationBytes == 512 << 10)
    #expect(!FlightRecorder.startCommand(name: "a", feature: 17, request).contains("ExecutionSample"))
  }

  @Test func `is no recording when it is all that was asked for`() throws {
    let choice = try choose(25, ["-e", "cache-misses"])
    #expect(choice.engine == .native && choice.reason.contains("cache-misses"))
  }

  @Test(arguments: ["cpu", "itimer", "ctimer"]) func `is not CPU time, by whatever timer`(_ event: String) throws {
    let choice = try choose(25, ["-e", event])
    #expect(choice.engine == .flightRecorder && choice.leftOut == nil)
  }
}
