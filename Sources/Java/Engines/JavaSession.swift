/// A JVM that is being recorded. Calls block, as long as the JVM takes to answer.
package protocol JavaSession: AnyObject {
  var target: JavaTarget { get }
  /// Where the JVM writes, as it sees it.
  var folder: String { get }
  /// The chunks finished since the last call, oldest first.
  func finished() -> [[UInt8]]
  /// How it was told to sample, where only its first chunk says so; else empty.
  var settings: String { get }
  /// Something worth a word, once.
  func takeRemark() -> String?
  /// Finishes the chunk in progress; the recording goes on without a gap.
  func rotate() throws(JavaError)
  /// Ends the recording and gives the rest of it.
  func end() -> [[UInt8]]
}

extension FlightRecorderSession: JavaSession {}
extension AsyncProfilerSession: JavaSession {}

/// Which engine records a JVM, and why: the one place that decides it.
package struct EngineChoice: Hashable, Sendable {
  package let engine: JavaEngine
  package let reason: String
  /// What is asked for and cannot be had, in words; `nil` when there is nothing.
  package let leftOut: String?

  /// - Parameters:
  ///   - feature: the JDK's, `nil` when it is not known.
  ///   - hasFlightRecorder: whether the JVM's own answers.
  package init(feature: Int?, hasFlightRecorder: Bool, agent: AgentLibrary?, allowsAgents: Bool, _ request: JavaRequest) {
    var agentProblem = "no async-profiler was given (--async-profiler)"
    if let agent { agentProblem = agent.problem(forJDK: feature) ?? (allowsAgents ? "" : "the JVM refuses agents") }
    let onlyByAgent = request.onlyByAgent.joined(separator: ", ")
    if agentProblem.isEmpty {
      leftOut = nil
      if !onlyByAgent.isEmpty {
        engine = .asyncProfiler
        reason = "only it records \(onlyByAgent)"
      } else if hasFlightRecorder, let feature, feature >= FlightRecorder.cpuTimeSamples {
        engine = .flightRecorder
        reason = "JDK \(feature) samples CPU time itself"
      } else {
        engine = .asyncProfiler
        reason = "it measures CPU time, which Flight Recorder does from JDK 25 on"
      }
      return
    }
    leftOut = onlyByAgent.isEmpty ? nil : "not recorded: \(onlyByAgent); only async-profiler does that, and \(agentProblem)"
    if !hasFlightRecorder {
      engine = .native
      reason = "no Flight Recorder in this runtime, and \(agentProblem)"
    } else if request.forFlightRecorder.isEmpty {
      engine = .native
      reason = "only async-profiler records \(onlyByAgent), and \(agentProblem)"
    } else {
      engine = .flightRecorder
      if let feature, feature >= FlightRecorder.cpuTimeSamples {
        reason = "JDK \(feature) samples CPU time itself"
      } else {
        reason = agentProblem + (request.forFlightRecorder.cpuNanoseconds == nil ? "" : "; its CPU samples show proportions, not amounts")
      }
    }
  }
}
