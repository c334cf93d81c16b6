import Java
import Testing

@Suite struct `the Flight Recorder's commands` {
  @Test(arguments: [11, 17, 21, 25]) func `a start command fits the attach protocol's first version`(_ feature: Int) throws {
    let command = FlightRecorder.startCommand(name: "pyrorec-4194304-12", feature: feature, JavaRequest())
    #expect(command.utf8.count <= AttachRequest.argumentLimit)
    #expect(command.hasPrefix("JFR.start name=pyrorec-4194304-12 "))
  }

  @Test func `CPU time is sampled where the JDK can, running threads where it cannot`() {
    let old = FlightRecorder.startCommand(name: "a", feature: 17, JavaRequest())
    #expect(old.contains("+jdk.ExecutionSample#enabled=true +jdk.ExecutionSample#period=10ms"))
    #expect(!old.contains("CPUTimeSample"))
    let new = FlightRecorder.startCommand(name: "a", feature: 25, JavaRequest())
    #expect(new.contains("+jdk.CPUTimeSample#enabled=true +jdk.CPUTimeSample#throttle=10ms"))
    #expect(!new.contains("ExecutionSample"))
  }

  @Test func `what was not asked for is not recorded`() {
    var request = JavaRequest()
    request.allocationBytes = nil
    request.lockNanoseconds = nil
    let command = FlightRecorder.startCommand(name: "a", feature: 17, request)
    #expect(!command.contains("Allocation"))
    #expect(!command.contains("Monitor"))
    #expect(!command.contains("Park"))
  }

  @Test func `before JDK 17 settings come from one of the JDK's own files`() {
    #expect(FlightRecorder.startCommand(name: "a", feature: 11, JavaRequest()).contains("settings=profile"))
  }
}

@Suite struct `the choice of an engine` {
  private func choose(_ feature: Int?, recorder: Bool = true, agents: Bool = true, wall: Bool = false) -> JavaEngine {
    var request = JavaRequest()
    if wall { request.wallNanoseconds = 50_000_000 }
    return EngineChoice(feature: feature, hasFlightRecorder: recorder, agent: nil, allowsAgents: agents, request).engine
  }

  @Test func `without an agent it is the JVM's own recorder, and without that the recorder outside`() {
    #expect(choose(25) == .flightRecorder)
    #expect(choose(17) == .flightRecorder)
    #expect(choose(17, wall: true) == .flightRecorder)
    #expect(choose(17, recorder: false) == .native)
    #expect(choose(nil, recorder: false) == .native)
  }
}
