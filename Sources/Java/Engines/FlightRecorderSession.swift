import Base
import Glibc

/// A JVM that its own Flight Recorder is recording for us, from begin to end without a gap.
///
/// Nothing is written into the target's file system: the chunks are read where the JVM keeps them.
package final class FlightRecorderSession {
  package let target: JavaTarget
  package let feature: Int
  package private(set) var folder = ""
  private let recorder: FlightRecorder
  private let request: JavaRequest
  private let owner: String
  private var part = 0
  private var chunks: ChunkRepository?
  private var current: String { "\(owner)-\(part)" }

  /// Begins the recording, and ends those that a recorder which is gone left behind.
  package init(_ target: JavaTarget, _ request: JavaRequest, limitMilliseconds: Int = 6000) throws(JavaError) {
    self.target = target
    self.request = request
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    var client = AttachClient(target)
    client.limitMilliseconds = limitMilliseconds
    feature = try Self.feature(of: target, client)
    recorder = FlightRecorder(client, feature: feature)
    owner = FlightRecorder.namePrefix + "\(getpid())"
    try endAbandoned()
    // What lies there from before is another recording's. The first recording of a JVM moves the repository.
    let before = try? recorder.repository()
    var known = ChunkRepository(files, path: before ?? "")
    known.look(skipping: true)
    try TargetSpace.check(target, at: target.temporaryFolder, bytes: TargetSpace.bytesToBegin)
    if let before { try TargetSpace.check(target, at: before, bytes: TargetSpace.bytesToBegin) }
    try recorder.start(name: current, request)
    let place: String
    do throws(JavaError) {
      place = try recorder.repository()
      try TargetSpace.check(target, at: place, bytes: TargetSpace.bytesToBegin)
    } catch {
      try? recorder.stop(name: current)
      throw error
    }
    folder = place
    if place != before { known = ChunkRepository(files, path: place) }
    chunks = consume known
    chunks?.look()
  }

  /// Each of its chunks says how it was recorded.
  package var settings: String { "" }
  package func takeRemark() -> String? { nil }

  private var files: TargetFiles { TargetFiles(process: target.process, user: target.user) }

  /// The JVM's version, by what it publishes, else by what it answers.
  private static func feature(of target: JavaTarget, _ client: AttachClient) throws(JavaError) -> Int {
    if let feature = target.performance?.feature { return feature }
    let text = try client.ask("jcmd", ["VM.version"]).text
    for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("JDK ") {
      if let feature = PerformanceData.feature(of: String(line.dropFirst(4))) { return feature }
    }
    throw .refused(command: "VM.version", status: 0, text: FlightRecorder.reason(text))
  }

  /// Recordings are named after the recorder's process: one whose process is gone goes on for ever.
  private func endAbandoned() throws(JavaError) {
    for name in try recorder.recordings() {
      let number = name.dropFirst(FlightRecorder.namePrefix.count).prefix { $0.isNumber }
      guard let process = Int32(number), process != getpid(), kill(process, 0) != 0, errno == ESRCH else { continue }
      try recorder.stop(name: name)
    }
  }

  /// The chunks finished since the last call, oldest first.
  package func finished() -> [[UInt8]] {
    chunks?.look()
    return chunks?.finished() ?? []
  }

  /// Finishes the chunk in progress; the recording goes on in a new one, which begins before the old one ends.
  package func rotate() throws(JavaError) {
    let old = current
    part += 1
    do throws(JavaError) { try recorder.start(name: current, request) } catch {
      part -= 1
      throw error
    }
    chunks?.look()
    try recorder.stop(name: old)
  }

  /// Ends the recording.
  /// - Returns: what was recorded since the last call of `finished`; of a JVM that died, what it had flushed.
  package func end() -> [[UInt8]] {
    chunks?.look()
    guard target.isRunning else { return chunks?.rest() ?? [] }
    do throws(JavaError) { try recorder.stop(name: current) } catch { return chunks?.rest() ?? [] }
    return chunks?.rest() ?? []
  }
}
