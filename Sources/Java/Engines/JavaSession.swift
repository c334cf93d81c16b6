/// A JVM that is being recorded. Calls block, as long as the JVM takes to answer.
package protocol JavaSession: AnyObject {
  var target: JavaTarget { get }
  /// Where the JVM writes, as it sees it.
  var folder: String { get }
  /// The chunks finished since the last call, oldest first.
  func finished() -> [[UInt8]]
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

  /// - Parameters:
  ///   - feature: the JDK's, `nil` when it is not known.
  ///   - hasFlightRecorder: whether the JVM's own answers.
  package init(feature: Int?, hasFlightRecorder: Bool, agent: AgentLibrary?, allowsAgents: Bool, _ request: JavaRequest) {
    var agentProblem = "no async-profiler was given (--async-profiler)"
    if let agent { agentProblem = agent.problem(forJDK: feature) ?? (allowsAgents ? "" : "the JVM refuses agents") }
    let needsAgent = request.wallNanoseconds != nil || request.live
    if agentProblem.isEmpty, needsAgent {
      engine = .asyncProfiler
      reason = "only it samples wall-clock time and live objects"
    } else if hasFlightRecorder, let feature, feature >= FlightRecorder.cpuTimeSamples {
      engine = .flightRecorder
      reason = "JDK \(feature) samples CPU time itself"
    } else if agentProblem.isEmpty {
      engine = .asyncProfiler
      reason = "it measures CPU time, which Flight Recorder does from JDK 25 on"
    } else if hasFlightRecorder {
      engine = .flightRecorder
      reason = "\(agentProblem); its CPU samples show proportions, not amounts"
    } else {
      engine = .native
      reason = "no Flight Recorder in this runtime, and \(agentProblem)"
    }
  }
}
