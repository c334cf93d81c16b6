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
  private var file: OwnedDescriptor?
  /// Bytes of the file that were taken.
  private var taken: UInt64 = 0

  /// The agent's own statuses (its `arguments.h`): bad arguments, and a command that failed.
  private static let badArguments = 100
  private static let failed = 200
  private static let chunkLimit: Int64 = 1 << 30
  /// The agent stops by itself after this long: a recorder that was killed cannot tell it to.
  private static let timeoutSeconds = 24 * 3600

  package init(_ target: JavaTarget, _ request: JavaRequest, _ agent: AgentLibrary, limitMilliseconds: Int = 6000) throws(JavaError) {
    self.target = target
    if let problem = agent.problem(forJDK: target.performance?.feature) { throw .refused(command: "load", status: 0, text: problem) }
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    var client = AttachClient(target)
    client.limitMilliseconds = limitMilliseconds
    self.client = client
    let wasAbandoned = AgentPlacement.removeAbandoned(in: target)
    placement = try AgentPlacement(target, agent)
    do throws(JavaError) {
      try TargetSpace.check(target, at: placement.folder, bytes: TargetSpace.bytesToBegin)
      // The agent of a recorder that was killed is still at it, into a file that is gone.
      if wasAbandoned { _ = try? run("stop,log=\(placement.log)") }
      try run(Self.startOptions(request, file: placement.recording, log: placement.log))
      file = try openRecording()
    } catch {
      placement.remove()
      throw error
    }
  }

  static func startOptions(_ request: JavaRequest, file: String, log: String) -> String {
    var options = ["start", "jfr", "file=\(file)", "log=\(log)", "timeout=\(timeoutSeconds)"]
    if let period = request.cpuNanoseconds { options += ["event=\(request.event)", "interval=\(period)"] }
    // Beside another event, else as the only one.
    if let wall = request.wallNanoseconds {
      options += request.cpuNanoseconds == nil ? ["event=wall", "interval=\(wall)"] : ["wall=\(wall)"]
    }
    if let bytes = request.allocationBytes { options.append("alloc=\(bytes)") }
    if request.live { options.append("live") }
    if let threshold = request.lockNanoseconds { options.append("lock=\(threshold)") }
    return options.joined(separator: ",")
  }

  private func run(_ options: String) throws(JavaError) {
    let status = try client.ask("load", [placement.library, "true", options]).loadStatus()
    guard status != 0 else { return }
    let files = TargetFiles(process: target.process, user: target.user)
    let words = (try? files.read(placement.log, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let reason = words.split(whereSeparator: \.isNewline).last.map(String.init) ?? "status \(status)"
    throw .refused(command: "async-profiler", status: status, text: reason)
  }

  private func openRecording() throws(JavaError) -> OwnedDescriptor {
    do throws(SystemCallError) {
      return try TargetFiles(process: target.process, user: target.user).open(placement.recording)
    } catch { throw .system(error) }
  }

  /// Has the agent finish its chunk; it goes on in the next one.
  package func rotate() throws(JavaError) { try run("dump,jfr,file=\(placement.recording),log=\(placement.log)") }

  /// The chunks finished since the last call, oldest first.
  package func finished() -> [[UInt8]] {
    var chunks: [[UInt8]] = []
    while let chunk = next(unfinished: false) { chunks.append(chunk) }
    return chunks
  }

  /// Ends the recording and removes what was put into the target.
  /// - Returns: what was recorded since the last call of `finished`.
  package func end() -> [[UInt8]] {
    if target.isRunning { try? run("stop,jfr,file=\(placement.recording),log=\(placement.log)") }
    var chunks = finished()
    if let rest = next(unfinished: true) { chunks.append(rest) }
    placement.remove()
    return chunks
  }

  /// - Parameter unfinished: takes the last one as it is.
  private func next(unfinished: Bool) -> [UInt8]? {
    guard file != nil, let size = fileSize, size > taken else { return nil }
    guard let start = read(at: taken, count: ChunkHeader.byteCount),
      let header = try? ChunkHeader(start.borrowedBytes), header.byteCount >= Int64(ChunkHeader.byteCount)
    else { return nil }
    let rest = Int64(clamping: size - taken)
    // An open one says that it is 1 GiB long.
    guard header.byteCount <= rest || unfinished else { return nil }
    let count = min(header.byteCount, rest)
    guard count <= Self.chunkLimit, let bytes = read(at: taken, count: Int(count)) else { return nil }
    taken += UInt64(count)
    return bytes
  }

  private var fileSize: UInt64? {
    guard let status = try? file?.status(path: placement.recording) else { return nil }
    return UInt64(clamping: status.st_size)
  }

  private func read(at offset: UInt64, count: Int) -> [UInt8]? {
    guard let bytes = try? file?.read(at: offset, count: count, path: placement.recording), bytes.count == count else { return nil }
    return bytes
  }
}
