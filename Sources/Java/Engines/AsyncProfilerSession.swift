import Base
import Glibc
import JFR

/// A JVM that async-profiler is recording, from begin to end without a gap: the agent is asked to finish a chunk, never to
/// stop and start again.
package final class AsyncProfilerSession {
  package let target: JavaTarget
  private let client: AttachClient
  private let placement: AgentPlacement
  package var folder: String { placement.folder }
  private var request: JavaRequest
  private var file: RecordingFile?
  /// Chunks of the part of the recording before the agent was begun anew.
  private var before: [[UInt8]] = []
  private var begun = ContinuousClock.now
  private var remark: String?

  /// The agent's own statuses (its `arguments.h`): bad arguments, and a command that failed.
  private static let badArguments = 100
  private static let failed = 200
  /// The agent stops by itself after this long: a recorder that was killed cannot tell it to.
  private static let timeoutSeconds = 24 * 3600
  /// It is begun anew before that, which takes it some milliseconds.
  private static let renewal = Duration.seconds(23 * 3600)

  package init(_ target: JavaTarget, _ request: JavaRequest, _ agent: AgentLibrary, limitMilliseconds: Int = 6000) throws(JavaError) {
    self.target = target
    self.request = request
    if let problem = agent.problem(forJDK: target.performance?.feature) { throw .refused(command: "load", status: 0, text: problem) }
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    var client = AttachClient(target)
    client.limitMilliseconds = limitMilliseconds
    self.client = client
    let wasAbandoned = AgentPlacement.removeAbandoned(in: target, first: request.folder)
    placement = try AgentPlacement(target, agent, first: request.folder)
    do throws(JavaError) {
      try TargetSpace.check(target, at: placement.folder, bytes: TargetSpace.bytesToBegin)
      // The agent of a recorder that was killed is still at it, into a file that is gone.
      if wasAbandoned { _ = try? run("stop,log=\(placement.log)") }
      try begin()
    } catch {
      placement.remove()
      throw error
    }
  }

  private func begin() throws(JavaError) {
    do throws(JavaError) { try run(Self.startOptions(request, file: placement.recording, log: placement.log)) } catch {
      // This timer came with 3.0.
      guard request.event == "ctimer", case .refused(_, _, let text) = error, text.contains("Unsupported event type") else { throw error }
      request.event = "itimer"
      try run(Self.startOptions(request, file: placement.recording, log: placement.log))
    }
    begun = .now
    file = nil
    do throws(SystemCallError) {
      file = try RecordingFile(TargetFiles(process: target.process, user: target.user), path: placement.recording)
    } catch { throw .system(error) }
  }

  /// How it samples in time, which it says in a recording's first chunk only.
  package var settings: String { Self.sampling(request).joined(separator: ",") }

  package func takeRemark() -> String? {
    defer { remark = nil }
    return remark
  }

  private static func sampling(_ request: JavaRequest) -> [String] {
    var options: [String] = []
    if let period = request.cpuNanoseconds { options += ["event=\(request.event)", "interval=\(period)"] }
    // Beside another event, else as the only one.
    if let wall = request.wallNanoseconds {
      options += request.cpuNanoseconds == nil ? ["event=wall", "interval=\(wall)"] : ["wall=\(wall)"]
    }
    return options
  }

  static func startOptions(_ request: JavaRequest, file: String, log: String) -> String {
    var options = ["start", "jfr", "file=\(file)", "log=\(log)", "timeout=\(timeoutSeconds)"] + sampling(request)
    if let bytes = request.allocationBytes { options.append("alloc=\(bytes)") }
    if request.usesTLABs { options.append("tlab") }
    if request.live { options.append("live") }
    if let threshold = request.lockNanoseconds { options.append("lock=\(threshold)") }
    if !request.logLevel.isEmpty { options.append("loglevel=\(request.logLevel)") }
    return (options + request.further).joined(separator: ",")
  }

  private func run(_ options: String) throws(JavaError) {
    let status = try client.ask("load", [placement.library, "true", options]).loadStatus()
    guard status != 0 else { return }
    let files = TargetFiles(process: target.process, user: target.user)
    let words = (try? files.read(placement.log, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let reason = words.split(whereSeparator: \.isNewline).last.map(String.init) ?? "status \(status)"
    throw .refused(command: "async-profiler", status: status, text: reason)
  }

  /// Has the agent finish its chunk; it goes on in the next one.
  package func rotate() throws(JavaError) {
    guard ContinuousClock.now - begun > Self.renewal else {
      return try run("dump,jfr,file=\(placement.recording),log=\(placement.log)")
    }
    try run("stop,jfr,file=\(placement.recording),log=\(placement.log)")
    before += file?.rest() ?? []
    try begin()
  }

  /// The chunks finished since the last call, oldest first.
  package func finished() -> [[UInt8]] {
    defer { before = [] }
    let chunks = before + (file?.finished() ?? [])
    if let problem = file?.takeProblem() { remark = problem }
    return chunks
  }

  /// Ends the recording and removes what was put into the target.
  /// - Returns: what was recorded since the last call of `finished`.
  package func end() -> [[UInt8]] {
    if target.isRunning { try? run("stop,jfr,file=\(placement.recording),log=\(placement.log)") }
    let chunks = before + (file?.rest() ?? [])
    before = []
    placement.remove()
    return chunks
  }
}
